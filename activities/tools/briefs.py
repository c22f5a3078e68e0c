"""``verify_brief``: the gate of a brief. A claim passes with a quotation that stands in the documents, or not at all.

No model decides here: the same draft over the same documents gives the same brief, on any machine, at any attempt.
"""

import json
from typing import Any, TypeVar

from activities.contracts.snapshot import Snapshot
from activities.snapshots import describe_skipped
from activities.text import STOP_WORDS, escape_control, stems, words
from activities.tools.base import ToolContext, tool
from activities.tools.brief_markdown import render_brief
from activities.tools.brief_models import NOT_ANSWERED, Brief, BriefClaim, BriefCounts, BriefFile, DroppedClaim
from activities.tools.citations import Library, verify_quotation

MAX_CLAIMS = 100
MAX_CLAIM = 1_000
"""Characters of a claim: some sentences."""
MAX_QUOTE = 1_500
"""Characters of a quotation: a long paragraph. Beyond, it is a copy of the document."""
MIN_QUOTE_WORDS = 3
"""Fewer stand in any document: ``the``, ``a pilot``. One of them has to say something."""
MAX_CLAIMS_BYTES = 120_000
"""Of all claims together, as JSON. The whole answer stays below the 256 KiB that a workflow may take in."""
MAX_SENTENCES_BYTES = 40_000
"""The same of problems, and of what was dropped."""
MAX_MISSING = 100
MAX_UNANSWERED = 20


_Items = TypeVar("_Items", str, DroppedClaim)


@tool(effect="idempotent")
async def verify_brief(  # noqa: PLR0913, PLR0917 -- what a team's gate hands over, by name
    context: ToolContext, question: str, draft: Any, reviews: Any = None, final: bool = False, missing: Any = None
) -> dict[str, Any]:
    """Check each claim of a draft against the documents, and write brief.md and brief.json where it is accepted.

    draft: {"found": bool, "claims": [{"claim": str, "quote": str, "source": "path:line"}], "unanswered": [str]}, the last
    one being parts of the question that the documents do not answer, in its own words; the question is the brief's title.
    A quotation that stands elsewhere in the named document is given its right line. reviews: {"verdicts": [{"claim": number from 1,
    "supported": bool, "reason": str}]}; a claim without a verdict counts as supported. final: claims that fail are
    dropped and counted; otherwise the draft is not accepted, and problems has a sentence for each. missing: sentences on
    what the brief could not use, for its last section.
    """
    value = _loaded(draft)
    claims, problem = _read(value)
    refused = _refused(_loaded(reviews))
    library = Library(context.snapshot)
    kept: list[BriefClaim] = []
    dropped: list[DroppedClaim] = []
    problems = [problem] if problem else []
    corrected, room = 0, MAX_CLAIMS_BYTES
    for number, entry in enumerate(claims[:MAX_CLAIMS], 1):
        claim, reason, moved = await _checked(entry, library)
        reason = reason or refused.get(number, "")
        room -= _json_bytes(claim.model_dump()) if claim else 0
        if claim and not reason and room < 0:
            reason = "the brief is full: its claims are too long in all"
        if claim and not reason:
            kept.append(claim)
            corrected += moved
        else:
            said = _said(entry)
            dropped.append(DroppedClaim(claim=said, reason=reason))
            problems.append(f'claim {number} ("{said[:80]}"): {reason}')
    if len(claims) > MAX_CLAIMS:
        problems.append(f"there are {len(claims):,} claims: give at most {MAX_CLAIMS}, the most important ones")
        dropped.append(
            DroppedClaim(claim="", reason=f"{len(claims) - MAX_CLAIMS:,} claims after the first {MAX_CLAIMS}")
        )
    counts = BriefCounts(claims=len(claims), verified=len(kept), corrected=corrected, dropped=len(claims) - len(kept))
    brief = Brief(
        question=_clean(question)[:4_000],
        answer="brief" if kept else NOT_ANSWERED,
        title=_line(question, 200),
        claims=kept,
        dropped=_within(dropped),
        counts=counts,
        unanswered=_unanswered(value, question) if kept else [],
    )
    accepted = final or not problems
    if accepted:
        await _write(context, brief, missing)
    sentences = _within(problems)
    if len(sentences) < len(problems):
        sentences.append(f"and {len(problems) - len(sentences)} more claims with problems")
    return {"accepted": accepted, "problems": sentences, "output": brief.model_dump(mode="json")}


def _loaded(value: Any) -> Any:
    """What an agent answered: where its answer is text, the JSON in it."""
    if isinstance(value, str):
        try:
            return json.loads(value)
        except (ValueError, RecursionError):
            return value
    return value


def _read(draft: Any) -> tuple[list[Any], str]:
    """Claims and what is wrong with the draft as a whole. ``found`` false means no claims, whatever follows."""
    if not isinstance(draft, dict):
        return [], 'the draft is no object with "found" and "claims"'
    if draft.get("found") in {False, "false", "no"} if isinstance(draft.get("found"), bool | str) else False:
        return [], ""
    claims = draft.get("claims")
    if not isinstance(claims, list):
        return [], 'the draft has no list "claims"'
    return claims, "" if claims else 'the draft has no claims: quote the documents, or say "found": false'


def _unanswered(draft: Any, question: str) -> list[str]:
    """The parts of the question that the draft leaves open: what says more than the question does is none of them."""
    asked = stems(question)
    given = draft.get("unanswered") if isinstance(draft, dict) else None
    lines = [_line(part, 300) for part in given if isinstance(part, str)] if isinstance(given, list) else []
    parts = [line for line in lines if stems(line) and stems(line) <= asked]
    return list(dict.fromkeys(parts))[:MAX_UNANSWERED]


def _refused(reviews: Any) -> dict[int, str]:
    """The claims that a checker refused, and why. What is no verdict is ignored; of two, the one against counts."""
    verdicts = reviews.get("verdicts") if isinstance(reviews, dict) else reviews
    found: dict[int, str] = {}
    for entry in verdicts[: 10 * MAX_CLAIMS] if isinstance(verdicts, list) else []:
        if not isinstance(entry, dict):
            continue
        reason = entry.get("reason")
        number, supported = entry.get("claim"), entry.get("supported")
        if type(number) is int and supported is False:
            why = _line(reason, 200) if isinstance(reason, str) else ""
            found.setdefault(
                number, f"the checker finds that its quotation does not support it: {why or 'no reason given'}"
            )
    return found


async def _checked(entry: Any, library: Library) -> tuple[BriefClaim | None, str, bool]:
    """The claim with its quotation as it stands in the document, or why it fails; and whether it was corrected."""
    if not isinstance(entry, dict):
        return None, "it is no object with claim, quote and source", False
    texts = [entry.get(name) for name in ("claim", "quote", "source")]
    for name, text in zip(("claim", "quote", "source"), texts, strict=True):
        if not isinstance(text, str) or not text.strip():
            return None, f"it has no {name}", False
    claim, quote, source = (str(text) for text in texts)
    if len(claim) > MAX_CLAIM or len(quote) > MAX_QUOTE:
        return (
            None,
            f"a claim has at most {MAX_CLAIM:,} characters and a quote {MAX_QUOTE:,}: quote the sentence",
            False,
        )
    spoken = words(quote)
    if len(spoken) < MIN_QUOTE_WORDS or STOP_WORDS.issuperset(spoken):
        return (
            None,
            f'the quote "{escape_control(quote.strip(), 80)}" is too short to say anything: quote the sentence',
            False,
        )
    found = await verify_quotation(quote, source, library)
    if found.status == "failed" or len(found.quote) > 2 * MAX_QUOTE:
        return None, found.problem, False
    checked = BriefClaim(claim=" ".join(_clean(claim).split()), quote=found.quote, source=found.source)
    return checked, "", found.status == "corrected"


async def _write(context: ToolContext, brief: Brief, missing: Any) -> None:
    """The two files. Outside a run there is nowhere to write them, and the brief is the answer."""
    if context.artifacts is None:
        return
    given = missing if isinstance(missing, list) else [missing]
    listed = [_line(line, 1_000) for line in given if isinstance(line, str)]
    manifest = getattr(context.snapshot, "manifest", None)  # a stored snapshot has one, other readers need none
    if isinstance(manifest, Snapshot):
        listed = [*describe_skipped(manifest), *listed]
    listed = list(dict.fromkeys(line for line in listed if line))[:MAX_MISSING]
    file = BriefFile(**brief.model_dump(), missing=listed)
    data = (file.model_dump_json(indent=2) + "\n").encode()
    await context.artifacts.write("brief.md", render_brief(brief, listed).encode(), "text/markdown")
    await context.artifacts.write("brief.json", data, "application/json")


def _said(entry: Any) -> str:
    claim = entry.get("claim") if isinstance(entry, dict) else None
    return _line(claim, 200) if isinstance(claim, str) else ""


def _line(text: str, limit: int) -> str:
    """A bounded text on one line, safe in a terminal."""
    return escape_control(" ".join(text[: 4 * limit].split()), limit)


def _within(items: list[_Items]) -> list[_Items]:
    """The first ones, in ``MAX_SENTENCES_BYTES``."""
    room = MAX_SENTENCES_BYTES
    for at, item in enumerate(items):
        room -= _json_bytes(item if isinstance(item, str) else item.model_dump())
        if room < 0:
            return items[:at]
    return items


def _clean(text: str) -> str:
    """Without halves of surrogate pairs, which have no form in a file."""
    return text.encode("utf-8", "replace").decode("utf-8")


def _json_bytes(value: Any) -> int:
    return len(json.dumps(value, ensure_ascii=False).encode("utf-8", "replace"))
