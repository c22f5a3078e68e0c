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
_NOT_SAID = frozenset(
    """task_id subtask_id item_id event_id agent_id branch name debater peer done_by status type kind event_type timestamp
    schema_version source citation path file line score confidence to cause hops abstain executor attempts""".split()
)
"""Fields that say what a text is about, and are none themselves."""
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
    stack: list[tuple[str, Any]] = [("", value)]
    for _ in range(MAX_LEAVES):
        if not stack:
            return
        name, part = stack.pop()
        if isinstance(part, dict):
            own = next((str(part[key]) for key in _NAMES if isinstance(part.get(key), str)), name)[:MAX_SHOWN]
            inner = [(own or str(key), each) for key, each in part.items() if everything or key not in _NOT_SAID]
            stack += reversed(inner)
        elif isinstance(part, list):
            stack += [(name, each) for each in reversed(part)]
        elif isinstance(part, str) and part.strip():
            yield name, part
        elif everything and isinstance(part, int | float) and not isinstance(part, bool):
            yield name, str(part)


def values_in(text: str) -> Any:
    """The JSON of a text, also where it stands among prose or on several lines; the text itself where there is none."""
    whole = as_value(text)
    if not isinstance(whole, str):
        return whole
    found = list(objects(text))
    return found or text


def evidence_in(question: str, material: str, limit: int = 12) -> list[Evidence]:
    """Quotations out of material, those that fit the question best first; where none fits the first of each part.

    Args:
        question: what is to be answered.
        material: results, votes or an input; JSON or prose.
        limit: of quotations.
    """
    value = values_in(material)
    cited: list[Evidence] = []
    documents: list[Document] = []
    for name, said in leaves(value):
        if said.strip() == NOTHING:
            continue
        quoted = list(kept(said))
        cited += [Evidence(one.text, one.path, one.line, page=one.page) for one in quoted]
        if not quoted:
            documents.append(Document(name or "input", 1, said))
    if '"source"' in material:
        for one in documents_in(material):
            cited.append(Evidence(one.text, one.path, one.line, page=one.page))
            documents = [other for other in documents if other.text != one.text]
    ranked = rank(question, [Document(one.path, one.line, one.quote, page=one.page) for one in cited])
    fitting = _distinct([*ranked, *(_named(item) for item in rank(question, documents))])
    if not fitting:
        firsts = (_SPACED.split(document.text.strip())[0] for document in documents)
        fitting = _distinct(
            [
                *cited,
                *(
                    Evidence(first, document.path, 1, cite=document.path)
                    for first, document in zip(firsts, documents, strict=True)
                ),
            ]
        )
    return fitting[:limit]


def _named(item: Evidence) -> Evidence:
    """With the name of the part as its source: a line within a result points nowhere."""
    return Evidence(item.quote, item.path, 1, item.score, item.coverage, claim=item.claim, cite=item.path)


def _distinct(items: list[Evidence]) -> list[Evidence]:
    seen: dict[str, Evidence] = {}
    for item in items:
        seen.setdefault(" ".join(item.quote.split()), item)
    return list(seen.values())
