"""The shape of the tree: arrows point one way, names in history are pinned, nobody else owns the package names."""

import ast
import importlib.metadata
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from temporalio import activity

from activities.embed_call import EmbedActivities
from activities.human_records import HumanActivities
from activities.mcp.listing import McpActivities
from activities.model_call import ModelActivities
from activities.tool_call import ToolActivities
from workers.pools import ALL_WORKFLOWS
from workflows.teams.tree import NODE_KINDS

ROOT = Path(__file__).parents[2]
ORDER = ["activities.contracts", "activities", "workflows", "workers", "scripts"]
"""Each may import itself and what stands before it."""


def room(module: str) -> str | None:
    """The most specific room that a module belongs to."""
    return next((name for name in sorted(ORDER, key=len, reverse=True) if f"{module}.".startswith(f"{name}.")), None)


def imports(path: Path) -> list[tuple[str, int]]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found += [(alias.name, node.lineno) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: a relative import"
            found.append((node.module or "", node.lineno))
    return found


def sources() -> list[Path]:
    return sorted(p for name in ("activities", "workflows", "workers", "scripts") for p in (ROOT / name).rglob("*.py"))


def violations(path: Path, module: str) -> list[str]:
    own = room(module)
    assert own
    allowed = ORDER[: ORDER.index(own) + 1]
    return [
        f"{path}:{line}: {module} imports {target}"
        for target, line in imports(path)
        if (other := room(target)) is not None and other not in allowed
    ]


def test_arrows_point_one_way() -> None:
    found = []
    for path in sources():
        module = ".".join(path.relative_to(ROOT).with_suffix("").parts)
        found += violations(path, module)
    assert found == []


def test_the_arrow_check_bites(tmp_path: Path) -> None:
    bad = tmp_path / "bad.py"
    bad.write_text("from workers.settings import Settings\n")
    assert violations(bad, "workflows.bad")
    assert not violations(bad, "scripts.bad")


def test_contracts_import_pydantic_and_the_standard_library_only() -> None:
    allowed = {"pydantic", "activities"} | sys.stdlib_module_names
    for path in sorted((ROOT / "activities" / "contracts").glob("*.py")):
        for target, line in imports(path):
            assert target.split(".")[0] in allowed, f"{path}:{line}: {target}"


@pytest.mark.parametrize("heavy", ["pydantic_ai", "openai", "anthropic", "google.genai", "mcp", "httpx2"])
def test_an_orchestration_pool_loads_no_provider(heavy: str) -> None:
    code = f"import sys, workers.pools; sys.exit({heavy!r} in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0


def test_only_one_module_schedules_activities_and_only_one_reads_the_environment() -> None:
    scheduling, environment = set(), set()
    for path in sources():
        text = path.read_text(encoding="utf-8")
        name = path.relative_to(ROOT).as_posix()
        if "workflow.execute_activity" in text or "workflow.start_activity" in text:
            scheduling.add(name)
        if "os.environ" in text or "os.getenv" in text:
            environment.add(name)
    scheduling = {name for name in scheduling if not name.startswith("scripts/bench")}
    assert scheduling == {"workflows/steps.py"}
    assert environment == {"workers/settings.py"}


def test_names_in_history_are_pinned() -> None:
    """Renaming a Python class must not rename what histories hold."""
    for path in sources():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            for decorator in getattr(node, "decorator_list", []):
                if ast.unparse(decorator).startswith(("activity.defn", "workflow.defn")):
                    assert isinstance(decorator, ast.Call), f"{path}: {ast.unparse(decorator)} without a name"
                    assert any(keyword.arg == "name" for keyword in decorator.keywords), f"{path}: no pinned name"
    names = [getattr(w, "__temporal_workflow_definition").name for w in ALL_WORKFLOWS]
    single, patterns = (
        ["agent", "call", "person"],
        [kind for kind in NODE_KINDS if kind not in {"agent", "call", "person", "workflow"}],
    )
    assert sorted(names) == sorted([*single, *patterns, "session", "human_task"])
    assert patterns == [
        "pipeline", "fan_out", "supervisor", "hierarchy", "router", "debate", "refine", "plan", "network", "monitor",
    ]  # fmt: skip
    calls: list[Callable[..., Any]] = [
        ModelActivities.call_model,
        EmbedActivities.embed,
        ToolActivities.call_tool,
        McpActivities.list_tools,
        HumanActivities.find,
        HumanActivities.record,
    ]
    assert [activity._Definition.must_from_callable(call).name for call in calls] == [
        "model.call",
        "model.embed",
        "tool.call",
        "mcp.list",
        "human.find",
        "human.record",
    ]


def test_no_other_distribution_owns_our_package_names() -> None:
    """The three generic names are the project's own choice; a dependency that took one would shadow it."""
    ours = {"activities", "workflows", "workers", "scripts"}
    owners: Counter[str] = Counter()
    for distribution in importlib.metadata.distributions():
        if distribution.name == "ostinato":
            continue
        top = {str(file).split("/")[0].removesuffix(".py") for file in distribution.files or []}
        owners.update(dict.fromkeys(ours & top, 1))
    assert owners == {}
