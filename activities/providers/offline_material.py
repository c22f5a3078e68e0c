"""What patterns hand on as material: the texts within it, with the sources that they already have.

Results, votes, events and payloads are JSON. Their texts are what is quoted from; a quotation that stands in them with a
source keeps it, and everything else is quoted as what the step said from which it comes.
"""

import json
import re
from collections.abc import Iterator
from typing import Any

from activities.providers.offline_evidence import Evidence, rank
from activities.providers.offline_prompts import objects
from activities.providers.offline_reading import NOTHING, Document, documents_in, kept

MAX_LEAVES = 2_000
MAX_SHOWN = 60
"""Characters of a name that stands as a source."""
_NAMES = ("task_id", "subtask_id", "branch", "item_id", "name", "agent_id", "debater", "peer", "done_by", "task")
_NOT_SAID_WORDS = """task_id subtask_id item_id event_id agent_id branch name debater peer done_by status type kind event_type timestamp
    schema_version source citation path file line score confidence to from cause hops abstain executor attempts task
    reason question goal criterion success failed position"""
_NOT_SAID = frozenset(_NOT_SAID_WORDS.split())
"""Fields that say what a text is about, and are none themselves."""
_GENERIC = frozenset({"result", "results", "output", "outputs", "answer", "answers"})
_SPACED = re.compile(r"\n\s*\n")


def as_value(text: str) -> Any:
    """A text's JSON; the text itself where it is none."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def plain_text(value: Any) -> str:
    """All that a value says, in its order: its texts and numbers, one in a paragraph."""
    return "\n\n".join(said for _, said in leaves(value, everything=True))


def leaves(value: Any, *, everything: bool = False) -> Iterator[tuple[str, str]]:
    """The texts of a JSON value, each with the name of what it belongs to.

    Args:
        value: any.
        everything: identifiers and numbers, too.
    """
    stack: list[tuple[str, str, Any]] = [("", "", value)]
    for _ in range(MAX_LEAVES):
        if not stack:
            return
        owner, key, part = stack.pop()
        if isinstance(part, dict):
            # The outermost name: whoever hands on what others said answers for it.
            own = owner or next((str(part[name])[:MAX_SHOWN] for name in _NAMES if isinstance(part.get(name), str)), "")
            named = ((str(name), each) for name, each in part.items() if everything or name not in _NOT_SAID)
            stack += reversed([(own, key if name in _GENERIC else name, each) for name, each in named])
        elif isinstance(part, list):
            stack += [(owner, key, each) for each in reversed(part)]
        elif isinstance(part, str) and part.strip():
            yield owner or key[:MAX_SHOWN], part
        elif everything and isinstance(part, int | float) and not isinstance(part, bool):
            yield owner or key[:MAX_SHOWN], str(part)


def values_in(text: str) -> Any:
    """The JSON of a text, also where it stands among prose or on several lines; the text itself where there is none."""
    whole = as_value(text)
    if not isinstance(whole, str):
        return whole
    found = list(objects(text))
    return found or text


def evidence_in(question: str, material: str, limit: int = 12, name: str = "input") -> list[Evidence]:
    """Quotations out of material: of each part of it those that fit the question best, in the order of the parts.

    Args:
        question: what is to be answered. Where nothing in a part fits it, the part's beginning is taken.
        material: results, votes or an input; JSON or prose.
        limit: of quotations; every part has its first one before one has its second.
        name: what a text without a name is quoted as.
    """
    groups = [_of_part(question, said, name) for said in _parts(values_in(material))]
    kept_of = [0] * len(groups)
    for turn in range(limit):
        for at, group in enumerate(groups):
            if turn < len(group) and sum(kept_of) < limit:
                kept_of[at] += 1
    return _distinct([item for group, count in zip(groups, kept_of, strict=True) for item in group[:count]])


def _parts(value: Any) -> Iterator[list[tuple[str, str]]]:
    """The texts of a value, those of one name together."""
    found: dict[str, list[tuple[str, str]]] = {}
    for name, said in leaves(value):
        if said.strip() != NOTHING:
            found.setdefault(name, []).append((name, said))
    yield from found.values()


def _of_part(question: str, texts: list[tuple[str, str]], unnamed: str) -> list[Evidence]:
    cited: list[Document] = []
    plain: list[Document] = []
    for name, said in texts:
        quoted = list(kept(said)) or (list(documents_in(said)) if '"source"' in said else [])
        cited += quoted
        if not quoted:
            plain.append(Document(name or unnamed, 1, said))
    ranked = [*rank(question, cited), *map(_named, rank(question, plain))]
    if ranked:
        return _distinct(ranked)
    first = [(document, _SPACED.split(document.text.strip())[0]) for document in plain[:1]]
    return [
        *(Evidence(one.text, one.path, one.line, page=one.page) for one in cited),
        *(Evidence(said, document.path, 1, cite=document.path) for document, said in first),
    ]


def _named(item: Evidence) -> Evidence:
    """With the name of the part as its source: a line within a result points nowhere."""
    return Evidence(item.quote, item.path, 1, item.score, item.coverage, claim=item.claim, cite=item.path)


def _distinct(items: list[Evidence]) -> list[Evidence]:
    seen: dict[str, Evidence] = {}
    for item in items:
        seen.setdefault(" ".join(item.quote.split()), item)
    return list(seen.values())
