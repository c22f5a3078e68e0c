r"""A brief as Markdown, in which nobody's words become structure.

A model wrote the claims, and strangers the documents. Claims are escaped: no heading, link, image, HTML or table comes
out of them. A quotation is shown as it stands in the file, without a single backslash, so that it can be searched for: as
a block quote where Markdown has nothing to say about its characters, and otherwise as a code block in the quote.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from activities.text import escape_control
from activities.tools.brief_models import NOT_ANSWERED, Brief, BriefClaim

_ACTIVE = re.compile(
    r"([\\`*_\[\]<>~$|@#]|&(?=#?\w{1,40};))|(?<=www)(\.)|(:)(?=//)|(?<=mailto)(:)|(?<=xmpp)(:)", re.IGNORECASE
)
_STARTS_BLOCK = re.compile(r"(?=[-+=])|(?<=\d)(?=[.)](?:\s|$))")
_BLOCK = re.compile(r"\s|[-+=]|\d{1,9}[.)](?:\s|$)")
_FENCE = re.compile(r"[`~]+")


def render_brief(brief: Brief | Mapping[str, Any], missing: Iterable[str] = ()) -> str:
    """Title, question, each claim with its quotation and source, then what was dropped and what is missing.

    Args:
        brief: as ``verify_brief`` answered it.
        missing: sentences on input that could not be read and parts that failed.
    """
    brief = brief if isinstance(brief, Brief) else Brief.model_validate(dict(brief))
    parts = [f"# {escape_markdown(brief.title) or 'Brief'}"]
    if not _says(brief.title, brief.question):
        parts.append(f"**Question:** {escape_markdown(brief.question)}")
    if brief.answer == NOT_ANSWERED:
        parts.append(NOT_ANSWERED)
        parts += [_all_dropped(brief.counts.dropped)] if brief.counts.dropped else []
    for claim in brief.claims:
        # A claim that is its own quotation, as extractive models write them, is not said twice.
        parts += [] if _says(claim.claim, claim.quote) else [escape_markdown(claim.claim)]
        parts.append(_quotation(claim))
    if brief.unanswered:
        open_parts = [f"- {escape_markdown(part)}" for part in brief.unanswered]
        parts += ["## Not in these documents", "\n".join(open_parts)]
    counts = brief.counts
    parts += ["## How it was checked", _sentence(brief)]
    if counts.dropped:
        lines = [_dropped(dropped.claim, dropped.reason) for dropped in brief.dropped]
        if counts.dropped > len(lines):
            lines.append(f"- and {counts.dropped - len(lines):,} more")
        parts += ["## Dropped", "\n".join(lines)]
    lines = [f"- {escape_markdown(line)}" for line in missing]
    if lines:
        parts += ["## Missing", "\n".join(lines)]
    return "\n\n".join(parts) + "\n"


def escape_markdown(text: str) -> str:
    """Text of others on one line: what Markdown would read as markup gets a backslash, control characters are written out."""
    line = escape_control(" ".join(text.split()), 4_000)
    line = _ACTIVE.sub(lambda found: f"\\{found[0]}", line)
    return _STARTS_BLOCK.sub(r"\\", line, count=1) if _BLOCK.match(line) else line


def _says(one: str, other: str) -> bool:
    """Whether two texts are the same but for markup, punctuation and white space."""
    letters = ["".join(filter(str.isalnum, text)).casefold() for text in (one, other)]
    return letters[0] == letters[1] and (letters[0] != "" or one.strip() == other.strip())


def _quotation(claim: BriefClaim) -> str:
    lines = [escape_control(line, 10_000) for line in claim.quote.replace("\t", "    ").split("\n")]
    if any(_ACTIVE.search(line) or _BLOCK.match(line) or not line for line in lines):
        longest = max((len(found) for line in lines for found in _FENCE.findall(line)), default=0)
        fence = "`" * max(3, longest + 1)
        lines = [f"{fence}text", *lines, fence]
    return "\n".join(f"> {line}".rstrip() for line in [*lines, "", f"— {_code(claim.source)}"])


def _code(text: str) -> str:
    """Inline code, whatever the text holds."""
    text = escape_control(text, 1_000)
    ticks = "`" * (max((len(found) for found in re.findall("`+", text)), default=0) + 1)
    pad = " " if text.startswith("`") or text.endswith("`") or text.strip() != text else ""
    return f"{ticks}{pad}{text}{pad}{ticks}"


def _sentence(brief: Brief) -> str:
    counts = brief.counts
    return (
        f"Claims of the draft: {counts.claims:,}. With a quotation that stands in the documents, word for word: "
        f"{counts.verified:,} (of {counts.corrected:,} the place was corrected). Dropped: {counts.dropped:,}. "
        "Code compared each quotation with its document; that the claims answer the question, or answer it completely, "
        "this does not prove."
    )


def _all_dropped(count: int) -> str:
    """The same answer as where nothing was found, for another reason."""
    if count == 1:
        return "1 claim of the draft was dropped because its quotation does not stand in the documents, or fails another check: see below."
    return f"{count:,} claims of the draft were dropped because their quotations do not stand in the documents, or fail another check: see below."


def _dropped(claim: str, reason: str) -> str:
    shown = f"{escape_markdown(claim)}: " if claim else ""
    return f"- {shown}{escape_markdown(reason)}"
