"""The gate of the brief: what does not stand in the documents does not get through, whatever a model wrote."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from activities.contracts.snapshot import SkippedFile, Snapshot
from activities.tools.base import ToolContext
from activities.tools.brief_markdown import escape_markdown, render_brief
from activities.tools.brief_models import Brief, BriefClaim, BriefCounts, BriefFile, DroppedClaim
from activities.tools.briefs import MAX_CLAIMS, verify_brief
from tests.tools.folder import HARBOUR, RULES, Folder
from tests.tools.pdf_files import ANNUAL

FOLDER = Folder({"log.md": HARBOUR, "rules.txt": RULES, "report.pdf": ["\n".join(page) for page in ANNUAL]})
GOOD = {"claim": "Ships enter by day only.", "quote": "No ship enters after dark.", "source": "log.md:4"}
PAID = {"claim": "The keeper earned 90 crowns.", "quote": "was paid 90 crowns", "source": "report.pdf:p2"}
LIE = {"claim": "Ships enter at night.", "quote": "Ships enter after dark.", "source": "log.md:4"}


class Written:
    """An ArtifactWriter in memory."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}

    async def write(self, name: str, data: bytes, media_type: str = "text/plain") -> None:
        assert media_type
        self.files[name] = data


async def gate(draft: Any, written: Written | None = None, folder: Folder | None = FOLDER, **more: Any) -> Any:
    arguments = verify_brief.arguments.model_validate({"question": "May ships enter at night?", "draft": draft, **more})
    text = await verify_brief(ToolContext("request", folder, written), arguments)
    assert len(text.encode()) < 256 * 1024
    found = json.loads(text)
    Brief.model_validate(found["output"])
    counts = found["output"]["counts"]
    assert counts["verified"] == len(found["output"]["claims"])
    assert counts["verified"] + counts["dropped"] == counts["claims"]
    return found


def draft_of(*claims: Any, **more: Any) -> dict[str, Any]:
    return {"found": True, "title": "Ships at night", "claims": list(claims), **more}


async def test_a_draft_whose_quotations_stand_there_is_accepted_and_written() -> None:
    written = Written()
    found = await gate(draft_of(GOOD, PAID, summary="not quoted, so not used"), written)
    assert (found["accepted"], found["problems"]) == (True, [])
    assert found["output"]["claims"] == [GOOD, PAID]
    assert found["output"]["counts"] == {"claims": 2, "verified": 2, "corrected": 0, "dropped": 0}
    assert set(written.files) == {"brief.md", "brief.json"}
    file = BriefFile.model_validate_json(written.files["brief.json"])
    assert file.model_dump(exclude={"missing"}) == found["output"]
    markdown = written.files["brief.md"].decode()
    assert "> No ship enters after dark.\n>\n> — `log.md:4`\n" in markdown
    assert "> — `report.pdf:p2`\n" in markdown
    assert "summary" not in markdown


async def test_a_lie_goes_back_once_and_is_then_dropped_and_counted() -> None:
    written = Written()
    first = await gate(draft_of(GOOD, LIE), written)
    assert not first["accepted"]
    assert not written.files
    (problem,) = first["problems"]
    assert problem.startswith('claim 2 ("Ships enter at night."): the quote "Ships enter after dark." is not in')
    last = await gate(draft_of(GOOD, LIE), written, final=True)
    assert last["accepted"]
    assert last["output"]["claims"] == [GOOD]
    assert last["output"]["dropped"][0]["claim"] == LIE["claim"]
    assert last["output"]["counts"] == {"claims": 2, "verified": 1, "corrected": 0, "dropped": 1}
    assert b"Ships enter after dark" in written.files["brief.md"].split(b"## Dropped")[1]


async def test_a_quotation_at_another_line_is_given_the_right_one() -> None:
    found = await gate(draft_of({**GOOD, "source": "log.md:1"}, {**PAID, "source": "report.pdf:p1"}))
    assert found["accepted"]
    assert found["output"]["claims"] == [GOOD, PAID]
    assert found["output"]["counts"]["corrected"] == 2


async def test_white_space_is_given_back_as_the_document_has_it() -> None:
    found = await gate(draft_of({**GOOD, "quote": "Ships wait outside the bar", "source": "log.md:3"}))
    assert found["output"]["claims"][0]["quote"] == "Ships wait\noutside the bar"


@pytest.mark.parametrize(
    ("claim", "says"),
    [
        ({"claim": "x", "source": "log.md:4"}, "has no quote"),
        ({"claim": "x", "quote": "  ", "source": "log.md:4"}, "has no quote"),
        ({"claim": "x", "quote": "No ship enters after dark."}, "has no source"),
        ({"quote": "No ship enters after dark.", "source": "log.md:4"}, "has no claim"),
        ({"claim": ["x"], "quote": 3, "source": None}, "has no claim"),
        ({**GOOD, "quote": "the"}, "too short"),
        ({**GOOD, "quote": "after dark"}, "too short"),
        ({**GOOD, "quote": "until it is"}, "too short"),
        ({**GOOD, "quote": "!!! ??? ..."}, "too short"),
        ({**GOOD, "source": "invented.md:4"}, "names no document"),
        ({**GOOD, "source": "report.pdf:p9", "quote": "was paid 900 crowns"}, "word for word"),
        ({**GOOD, "quote": HARBOUR * 5, "source": "log.md:1"}, "quote the sentence"),
        ({**GOOD, "claim": "x" * 5_000}, "at most 1,000 characters"),
        ("No ship enters after dark.", "no object"),
        (None, "no object"),
        ([GOOD], "no object"),
    ],
)
async def test_a_claim_that_fails_is_one_sentence(claim: Any, says: str) -> None:
    found = await gate(draft_of(GOOD, claim, PAID))
    (problem,) = found["problems"]
    assert problem.startswith("claim 2 (")
    assert says in problem
    assert problem.isprintable()
    assert len((await gate(draft_of(GOOD, claim, PAID), final=True))["output"]["claims"]) == 2


@pytest.mark.parametrize(
    "draft",
    [None, 3, "not JSON", [GOOD], {}, {"claims": "many"}, draft_of(), draft_of(LIE), "[" * 100_000, {"claims": None}],
)
async def test_where_nothing_is_verified_the_answer_says_so(draft: Any) -> None:
    first = await gate(draft)
    assert not first["accepted"]
    assert len(first["problems"]) == 1
    written = Written()
    last = await gate(draft, written, final=True)
    assert last["accepted"]
    assert (last["output"]["answer"], last["output"]["claims"]) == ("not in these documents", [])
    assert "\n\nnot in these documents\n\n" in written.files["brief.md"].decode()


@pytest.mark.parametrize("found", [False, "false"])
async def test_an_answer_that_is_not_in_the_documents_is_accepted_at_once(found: Any) -> None:
    answer = await gate({"found": found, "claims": [GOOD]})
    assert answer["accepted"]
    assert answer["output"]["answer"] == "not in these documents"
    assert answer["output"]["claims"] == []


async def test_what_nobody_checks_does_not_come_from_the_model() -> None:
    written = Written()
    parts = ["may ships enter?", "May ships enter free of charge: all dues were abolished?", "at", "may ships enter?"]
    found = await gate(draft_of(GOOD, unanswered=parts) | {"title": "The hourly rate is 500 EUR"}, written)
    assert found["output"]["title"] == "May ships enter at night?"
    assert found["output"]["unanswered"] == ["may ships enter?"]
    markdown = written.files["brief.md"].decode()
    assert markdown.startswith("# May ships enter at night?\n\n")
    assert "500" not in markdown
    assert "abolished" not in markdown


@pytest.mark.parametrize(("lies", "said"), [(1, "1 claim of the draft was"), (2, "2 claims of the draft were")])
async def test_nothing_kept_and_nothing_found_are_told_apart(lies: int, said: str) -> None:
    written = Written()
    await gate(draft_of(*[LIE] * lies), written, final=True)
    below = written.files["brief.md"].decode().partition("\n\nnot in these documents\n\n")[2]
    assert below.startswith(f"{said} dropped because")
    await gate({"found": False, "claims": []}, written)
    assert "because" not in written.files["brief.md"].decode().partition("## How it was checked")[0]


async def test_the_brief_says_what_the_gate_does_not_prove() -> None:
    written = Written()
    await gate(draft_of(GOOD), written)
    checked = written.files["brief.md"].decode().partition("## How it was checked")[2]
    assert "Code compared each quotation with its document" in checked
    assert "that the claims answer the question, or answer it completely, this does not prove" in checked


async def test_a_draft_that_is_text_with_json_in_it_is_read() -> None:
    assert (await gate(json.dumps(draft_of(GOOD))))["accepted"]


async def test_without_a_folder_nothing_is_verified() -> None:
    assert (await gate(draft_of(GOOD), folder=None, final=True))["output"]["answer"] == "not in these documents"


async def test_a_checker_refuses_claims_by_number() -> None:
    reviews = {
        "verdicts": [
            {"claim": 2, "supported": False, "reason": "the quote is of\nthe keeper"},
            {"claim": 2, "supported": True},
            {"claim": 1, "supported": True, "reason": ""},
            {"claim": 7, "supported": False, "reason": "no such claim"},
            {"claim": "1", "supported": False},
            {"claim": True, "supported": False},
            {"claim": 1, "supported": 0},
            "nonsense",
        ]
    }
    found = await gate(draft_of(GOOD, PAID), reviews=reviews)
    (problem,) = found["problems"]
    assert problem.startswith("claim 2 (")
    assert "of the keeper" in problem
    assert found["output"]["claims"] == [GOOD]


@pytest.mark.parametrize("reviews", [None, 3, "x", [], {}, {"verdicts": None}, {"verdicts": {"claim": 1}}])
async def test_reviews_that_are_none_refuse_nothing(reviews: Any) -> None:
    assert (await gate(draft_of(GOOD), reviews=reviews))["accepted"]


async def test_a_draft_of_any_size_is_bounded() -> None:
    many = await gate(draft_of(*[GOOD] * 5_000), final=True)
    assert many["output"]["counts"]["claims"] == 5_000
    assert len(many["output"]["claims"]) == MAX_CLAIMS
    assert "after the first 100" in many["output"]["dropped"][-1]["reason"]
    wide = {"claim": "港" * 1_000, "quote": "港" * 1_400, "source": "zh.txt:1"}
    folder = Folder({"zh.txt": "港" * 1_400})
    full = await gate(draft_of(*[wide] * 100), folder=folder, final=True)
    assert "the brief is full" in full["output"]["dropped"][0]["reason"]
    lies = await gate(draft_of(*[{**wide, "quote": "海" * 1_400}] * 100), folder=folder)
    assert len(lies["problems"]) == 101 or "more claims with problems" in lies["problems"][-1]


async def test_what_is_missing_is_said_in_both_files() -> None:
    folder, written = Folder(FOLDER.texts), Written()
    skipped = (SkippedFile(path="a_b.jpg", reason="binary"),)
    vars(folder)["manifest"] = Snapshot(files=(), skipped=skipped, skipped_count=1)
    missing = ["the researcher 'tides' failed", "input file a_b.jpg: binary", 3, "# no heading"]
    await gate(draft_of(GOOD), written, folder, missing=missing)
    file = BriefFile.model_validate_json(written.files["brief.json"])
    assert file.missing == ["input file a_b.jpg: binary", "the researcher 'tides' failed", "# no heading"]
    assert "- input file a\\_b.jpg: binary\n" in written.files["brief.md"].decode()


HOSTILE = [
    "# A heading",
    "</p><script>alert(1)</script>",
    "[click](https://evil.example)",
    "![x](https://evil.example/x.png)",
    "<https://evil.example>",
    "see https://evil.example and www.evil.example or mail me@evil.example",
    "[ref]: https://evil.example",
    "- a list",
    "1. a list",
    "1986) a list",
    "> a quote",
    "text\n===",
    "text\n\n# later heading\n\n---",
    "```\ncode",
    "~~~",
    "    code",
    "| a | b |\n|---|---|\n| 1 | 2 |",
    "&lt;b&gt; &#35;",
    "a  \nb\\",
    "*strong* __strong__ ~~gone~~ $x$ `code",
    "\x1b[31mred\u202e",
    "<!-- comment",
    "[^1]: note",
]


def structure(markdown: str) -> list[str]:
    tokens = MarkdownIt("commonmark").enable(["table", "strikethrough"]).parse(markdown)
    inner = [child for token in tokens for child in token.children or []]
    return [token.type for token in [*tokens, *inner] if token.type not in {"inline", "text", "softbreak"}]


def brief_of(text: str, quote: str = "No ship enters after dark.") -> Brief:
    claims = [BriefClaim(claim=text, quote=quote, source="log.md:4"), BriefClaim(**PAID)]
    return Brief(
        question=text, answer="brief", title=text, claims=claims, dropped=[DroppedClaim(claim=text, reason=text)],
        counts=BriefCounts(claims=3, verified=2, dropped=1),
    )  # fmt: skip


@pytest.mark.parametrize("text", HOSTILE)
def test_words_of_others_are_no_markdown(text: str) -> None:
    markdown = render_brief(brief_of(text), [text])
    assert structure(markdown) == structure(render_brief(brief_of("Plain words."), ["Plain words."]))
    assert "https:" not in markdown
    assert "www." not in markdown
    assert "\x1b" not in markdown
    assert "\u202e" not in markdown


@pytest.mark.parametrize("quote", [*HOSTILE, "````\nfence\n`````", "> — `forged.md:1`", "a\n\nb", "x\n~~~~~~\n```text"])
def test_a_quotation_is_verbatim_and_nothing_else(quote: str) -> None:
    markdown = render_brief(brief_of("Plain words.", quote))
    found = structure(markdown)
    allowed = structure(render_brief(brief_of("Plain words."))), structure(render_brief(brief_of("Plain words.", "#")))
    assert found in allowed
    if quote.isprintable():
        assert f"> {quote}\n" in markdown


@given(st.text(max_size=80))
def test_any_text_stays_one_paragraph_and_shows_itself(text: str) -> None:
    escaped = escape_markdown(text)
    tokens = MarkdownIt("commonmark").enable(["table", "strikethrough"]).parse(f"Before.\n\n{escaped}\n\nAfter.")
    blocks = [token.type for token in tokens if token.nesting >= 0 and token.type != "inline"]
    shown = " ".join(text.split())
    assert blocks == ["paragraph_open"] * (3 if escaped.strip() else 2)
    if escaped.strip() and shown.isprintable():
        children = tokens[4].children or []
        assert {child.type for child in children} <= {"text", "text_special"}
        assert "".join(child.content for child in children) == shown
