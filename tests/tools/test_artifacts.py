"""Files that tools write: safe names, one set of references however often a call is made, and the user's disk."""

import os
import resource
from pathlib import Path

import pytest
from temporalio.testing import ActivityEnvironment

from activities.artifacts import CallArtifacts, Names, checked_name
from activities.contracts.artifacts import MAX_ARTIFACT_BYTES, MAX_CALL_ARTIFACTS, ArtifactRef
from activities.contracts.calls import ToolErrorKind, ToolRequest, ToolResponse
from activities.contracts.messages import ToolCall
from activities.contracts.profile import AgentProfile
from activities.contracts.steps import StepKey
from activities.object_store import ObjectStore, blob_path, digest_of
from activities.tool_call import ToolActivities
from activities.tools.artifacts import write_artifact
from activities.tools.base import Tool, ToolContext, tool
from scripts.artifact_files import save_artifacts, write_below

SCOPE = "run"
BAD_NAMES = (
    *("", "/etc/passwd", "../up", "a/../../up", "a//b", "a/", ".", "..", "./a", "a/./b", ".bashrc", "a/.git/config"),
    *(
        "a\\b",
        "c:\\x",
        "c:x",
        "a\x00b",
        "a\nb",
        "a\x1b[2J",
        "a\u202eb",
        "a\ud800",
        "a\u200b",
        "a*",
        "a?",
        'a"',
        "a|b",
        "<a>",
    ),
    *(
        "con",
        "CON.txt",
        "a/nul",
        "Com1",
        "lpt9.md",
        "com\u00b9",
        "aux .txt",
        "conin$",
        "a.",
        "a ",
        " a",
        "a /b",
        "dir./b",
    ),
    *("x" * 201, "é" * 101, "/".join("abcdefghi"), "e\u0301" * 300),
)
GOOD_NAMES = (
    "brief.md",
    "notes/day-1.md",
    "Übersicht 2026.csv",
    "a/b/c/d/e/f/g/h",
    "x" * 200,
    "console.log",
    "com10",
    "日本語/表.csv",
)


@pytest.fixture
def store(tmp_path: Path) -> ObjectStore:
    return ObjectStore((tmp_path / "store").as_uri())


@pytest.mark.parametrize("name", BAD_NAMES)
async def test_a_name_that_some_disk_cannot_hold_is_refused(store: ObjectStore, name: str) -> None:
    artifacts = CallArtifacts(store, SCOPE)
    with pytest.raises(ValueError, match="the name"):
        await artifacts.write(name, b"x")
    assert artifacts.refs == ()


@pytest.mark.parametrize("name", GOOD_NAMES)
def test_an_ordinary_name_stays_as_it_is(name: str) -> None:
    assert checked_name(name) == name
    assert checked_name("e\u0301.md") == "\u00e9.md"


def test_names_that_one_disk_cannot_hold_together() -> None:
    names = Names()
    assert names.add("Notes/a.md") is None
    assert names.add("Notes/a.md") is None
    assert names.add("Notes/b.md") is None
    assert names.add("Notes/A.md") == "Notes/a.md"
    assert names.add("notes/c.md") == "Notes"
    assert names.add("Notes") == "Notes"
    assert names.add("Notes/a.md/c") == "Notes/a.md"
    assert names.add("STRASSE") is None
    assert names.add("straße") == "STRASSE"


async def test_what_one_call_writes_is_bounded(store: ObjectStore) -> None:
    artifacts = CallArtifacts(store, SCOPE)
    with pytest.raises(ValueError, match="bytes"):
        await artifacts.write("large.bin", bytes(MAX_ARTIFACT_BYTES + 1))
    with pytest.raises(ValueError, match="media type"):
        await artifacts.write("a.md", b"", "text/plain\r\nX: y")
    await artifacts.write("0.txt", b"x")
    for other in ("0.TXT", "0.txt/1"):
        with pytest.raises(ValueError, match="cannot stand on every disk"):
            await artifacts.write(other, b"x")
    for number in range(MAX_CALL_ARTIFACTS):
        await artifacts.write(f"{number}.txt", b"x")
    await artifacts.write("0.txt", b"the last one counts", "text/markdown")
    with pytest.raises(ValueError, match="at most 100 files"):
        await artifacts.write("one-more.txt", b"x")
    assert len(artifacts.refs) == MAX_CALL_ARTIFACTS
    assert artifacts.refs[0] == ArtifactRef(
        name="0.txt", digest=digest_of(b"the last one counts"), size_bytes=19, media_type="text/markdown"
    )


async def call(store: ObjectStore, subject: Tool, arguments: str, run_id: str = "a") -> ToolResponse:
    profile = AgentProfile(agent="t/a@1", tools=(subject.spec,))
    request = ToolRequest(
        key=StepKey(scope_id=SCOPE, path="a", step="t1"),
        profile=await store.put_model(SCOPE, profile),
        call=ToolCall(tool_call_id="c", tool=subject.spec.name, arguments=arguments),
    )
    environment = ActivityEnvironment()
    environment.info = environment.info.__class__(**{**environment.info.__dict__, "workflow_run_id": run_id})
    response: ToolResponse = await environment.run(
        ToolActivities(store, {subject.spec.name: subject}).call_tool, request
    )
    return response


async def test_a_call_that_is_made_again_has_the_same_files(store: ObjectStore, tmp_path: Path) -> None:
    arguments = '{"name": "notes/brief.md", "text": "Grüße"}'
    first = await call(store, write_artifact, arguments)
    assert first.artifacts == (
        ArtifactRef(
            name="notes/brief.md", digest=digest_of("Grüße".encode()), size_bytes=7, media_type="text/markdown"
        ),
    )
    assert (first.text, first.error) == ("saved notes/brief.md, 7 bytes", None)
    assert await store.get(SCOPE, first.artifacts[0].digest) == "Grüße".encode()
    resumed = await call(store, write_artifact, arguments, "b")
    assert (resumed.artifacts, resumed.from_record) == (first.artifacts, True)
    other = ObjectStore((tmp_path / "other").as_uri())  # its record was lost
    assert (await call(other, write_artifact, arguments)).artifacts == first.artifacts


async def test_a_call_that_fails_has_made_no_files(store: ObjectStore) -> None:
    @tool(effect="idempotent")
    async def half(context: ToolContext) -> str:
        """Write one file, and then one that is refused."""
        assert context.artifacts
        await context.artifacts.write("a.md", b"x")
        await context.artifacts.write("../b.md", b"x")
        return "done"

    response = await call(store, half, "{}")
    assert (response.error, response.artifacts) == (ToolErrorKind.RAISED, ())
    assert "relative path" in response.text
    assert (await call(store, half, "{}", "b")).artifacts == ()
    with pytest.raises(ValueError, match="outside a run"):
        await write_artifact.function(ToolContext("r"), "a.md", "x")


async def refs_of(store: ObjectStore, files: dict[str, bytes]) -> list[ArtifactRef]:
    return [
        ArtifactRef(name=name, digest=await store.put(SCOPE, data), size_bytes=len(data))
        for name, data in files.items()
    ]


async def test_files_are_written_out_once(store: ObjectStore, tmp_path: Path) -> None:
    refs = await refs_of(store, {"brief.md": b"# One", "data/a.csv": b"a,b\n"})
    runs = tmp_path / "runs"
    paths, problems = await save_artifacts(store, SCOPE, refs, runs)
    assert (problems, [Path(path).read_bytes() for path in paths]) == ([], [b"# One", b"a,b\n"])
    before = [Path(path).stat() for path in paths]
    Path(paths[1]).write_bytes(b"a;b\n")
    assert await save_artifacts(store, SCOPE, refs, runs) == (paths, [])
    after = [Path(path).stat() for path in paths]
    assert (after[0].st_ino, after[0].st_mtime_ns) == (before[0].st_ino, before[0].st_mtime_ns)  # not touched
    assert Path(paths[1]).read_bytes() == b"a,b\n"
    assert sorted(path.name for path in (runs / SCOPE).rglob("*")) == ["a.csv", "artifacts", "brief.md", "data"]


async def test_what_is_missing_or_changed_is_said_and_the_rest_is_written(store: ObjectStore, tmp_path: Path) -> None:
    files = {"gone.md": b"gone", "changed.md": b"changed", "resized.md": b"resized", "good.md": b"good"}
    refs = await refs_of(store, files)
    folder = Path(store.address.removeprefix("file://"))
    (folder / blob_path(SCOPE, refs[0].digest)).unlink()
    (folder / blob_path(SCOPE, refs[1].digest)).write_bytes(b"changeD")
    refs[2] = refs[2].model_copy(update={"size_bytes": 1})
    paths, problems = await save_artifacts(ObjectStore(store.address), SCOPE, refs, tmp_path / "runs")
    assert [Path(path).name for path in paths] == ["good.md"]
    assert ["gone.md" in problems[0], "changed.md" in problems[1], "resized.md" in problems[2]] == [True] * 3


async def test_names_are_checked_again_before_they_become_paths(store: ObjectStore, tmp_path: Path) -> None:
    """A reference comes out of a history, which anybody with the namespace may have written."""
    data, runs = {"x": b"x"}, tmp_path / "runs"
    (ref,) = await refs_of(store, data)
    names = [name for name in BAD_NAMES if 0 < len(name) <= 400 and "\ud800" not in name]
    refs = [ref.model_copy(update={"name": name}) for name in (*names, "a.md", "A.md", "e\u0301")]
    paths, problems = await save_artifacts(store, SCOPE, refs, runs)
    assert [Path(path).name for path in paths] == ["a.md"]
    assert len(problems) == len(names) + 2
    assert [path.relative_to(runs).as_posix() for path in runs.rglob("*") if path.is_file()] == ["run/artifacts/a.md"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["runs", "store"]


@pytest.mark.parametrize("linked", ["run", "run/artifacts", "run/artifacts/notes"])
async def test_a_link_in_the_way_is_not_followed(store: ObjectStore, tmp_path: Path, linked: str) -> None:
    refs = await refs_of(store, {"notes/a.md": b"x"})
    outside, runs = tmp_path / "outside", tmp_path / "runs"
    outside.mkdir()
    (runs / linked).parent.mkdir(parents=True)
    (runs / linked).symlink_to(outside)
    paths, problems = await save_artifacts(store, SCOPE, refs, runs)
    assert (paths, len(problems), list(outside.iterdir())) == ([], 1, [])


async def test_a_link_at_the_name_is_replaced_and_not_written_through(store: ObjectStore, tmp_path: Path) -> None:
    refs = await refs_of(store, {"a.md": b"new", "b.md": b"new", "c.md": b"new", "d.md": b"new"})
    folder = tmp_path / "runs" / SCOPE / "artifacts"
    folder.mkdir(parents=True)
    mine = tmp_path / "mine.txt"
    mine.write_bytes(b"old")
    (folder / "a.md").symlink_to(mine)
    os.link(mine, folder / "b.md")
    os.mkfifo(folder / "c.md")
    (folder / "d.md").mkdir()
    paths, problems = await save_artifacts(store, SCOPE, refs, tmp_path / "runs")
    assert [Path(path).name for path in paths] == ["a.md", "b.md", "c.md"]
    assert "d.md" in problems[0]
    assert mine.read_bytes() == b"old"
    assert not (folder / "a.md").is_symlink()
    assert sorted(path.name for path in folder.iterdir()) == ["a.md", "b.md", "c.md", "d.md"]  # nothing half-written


def test_a_disk_that_refuses_leaves_the_old_file(tmp_path: Path) -> None:
    write_below(tmp_path, "run/a.md", b"old")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))
    try:
        with pytest.raises(OSError, match="large"):
            write_below(tmp_path, "run/a.md", b"n" * 200_000)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert [path.read_bytes() for path in (tmp_path / "run").iterdir()] == [b"old"]
