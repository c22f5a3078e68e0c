"""The offline model as a planner: a goal into subtasks, by its own parts, or by the documents that speak of it."""

import re
from collections.abc import Iterator, Sequence
from typing import Any

from activities.contracts.base import Schema
from activities.providers.offline_evidence import Evidence
from activities.providers.offline_labels import similarity
from activities.providers.offline_prompts import Layout
from activities.providers.offline_question import Question
from activities.providers.offline_words import VAGUE_WORDS, asked_words, content_roots

MAX_PARTS = 12
MAX_DOCUMENTS = 3
"""Documents that one question is put to, each in a subtask of its own."""
SAME = 0.88
"""Against the best document, how plainly another one has to speak of a question to be asked as well."""
MAX_TASK = 4_000
"""Characters of a subtask."""

_WH = r"(?:who|whom|whose|what|which|when|where|why|how|wer|wen|wem|was|welche[rsmn]?|wann|wo|warum|wie(?:viele?)?)"
_DOES = r"(?:is|are|was|were|does|do|did|can|may|must|should|has|have|will)"
_MARK = re.compile(r"(?m)(?:^|(?<=\s))(?:\(?\d{1,2}[.)]|\([a-h]\)|[-*•](?=\s))\s+")
_ENDED = re.compile(r"(?<=[?\uff1f])\s+|(?<=[.!;])\s+(?=[A-ZÄÖÜ\"'(])|;\s+")
_JOINED = re.compile(
    rf"(?i),?\s+(?:and|or|und|sowie|as well as)\s+(?:also\s+)?(?=(?:{_WH}|(?:in|on|at|by|to|for|from)\s+{_WH}|{_DOES})\b)|,\s+(?={_WH}\b)"
)
_PAIR = re.compile(
    r"(?i)^(?P<ask>(?:what|which|who)\s+(?:is|are|was|were)\s+(?:the\s+)?)(?P<one>[\w-]+(?:\s[\w-]+)?)\s+and\s+(?:the\s+)?"
    r"(?P<two>[\w-]+(?:\s[\w-]+)?)(?P<rest>\s+(?:of|for|in|to|at|on|from|by)\s[^?]*)?\?$"
)
_PRONOUN = re.compile(
    r"(?i)\b(?:it|its|they|them|their|this|that|these|those|he|she|his|her|there|er|sie|es|diese[rsmn]?|dort|ihn|ihm)\b"
)


def subtask_items(schema: Schema) -> tuple[str, dict[str, Any]] | None:
    """The property that holds subtasks, and what one is: it has a ``type`` out of a list, and a ``task``."""
    properties = schema.get("properties")
    for name, part in properties.items() if isinstance(properties, dict) else ():
        items = part.get("items") if isinstance(part, dict) else None
        inner = items.get("properties") if isinstance(items, dict) else None
        if isinstance(inner, dict) and isinstance(inner.get("task"), dict):
            kind = inner.get("type")
            if isinstance(kind, dict) and isinstance(kind.get("enum"), list) and kind["enum"]:
                return str(name), inner
    return None


def plan(layout: Layout, types: Sequence[str], evidence: Sequence[Evidence]) -> list[dict[str, str]]:
    """The subtasks of a first round."""
    tasks = parts(layout.task)
    if len(tasks) == 1:
        tasks = list(_by_document(tasks[0], evidence)) or tasks
    room = layout.room or len(tasks)
    return [{"type": _type(types, layout, task), "task": task[:MAX_TASK]} for task in tasks[:room]]


def further(layout: Layout, types: Sequence[str], results: Sequence[dict[str, Any]]) -> list[dict[str, str]]:
    """The subtasks of a later round: what was given up is asked once more, in its bare words where they differ.

    Where a worker has looked and found nothing, another look with the same eyes finds no more; only a long question,
    whose many words hide the few that matter, is put once more by those.
    """
    asked = {str(result.get("task")) for result in results}
    wanted: list[dict[str, str]] = []
    for result in results:
        task, output = str(result.get("task") or ""), result.get("output")
        nothing = isinstance(output, dict) and output.get("found") is False
        if result.get("status") != "given_up" and not nothing:
            continue
        other = _bare(task)
        long = nothing and len(asked_words(task)) > 10
        if other and other not in asked and (long or not nothing):
            asked.add(other)
            kind = str(result.get("type"))
            wanted.append({"type": kind if kind in types else _type(types, layout, other), "task": other})
    return wanted


def parts(goal: str) -> list[str]:
    """The questions that a goal consists of, each one complete enough to be asked alone."""
    found: list[str] = []
    for sentence in _sentences(goal):
        pair = _PAIR.match(sentence)
        pieces = (
            [f"{pair['ask']}{pair[name]}{pair['rest'] or ''}?" for name in ("one", "two")]
            if pair
            else _JOINED.split(sentence)
        )
        pieces = [piece.strip(" ,") for piece in pieces if piece.strip(" ,.")]
        if any(len(Question.read(piece).words) < 1 for piece in pieces):
            pieces = [sentence]
        found += [_ended(piece, sentence) for piece in pieces]
    found = [piece for piece in dict.fromkeys(found) if Question.read(piece).words][:MAX_PARTS]
    if len(found) < 2:
        return [" ".join(goal.split())]
    return [_with_context(piece, found[:at]) for at, piece in enumerate(found)]


def _sentences(goal: str) -> Iterator[str]:
    """Entries of a list or sentences; of prose with questions in it only the questions."""
    entries = [entry for entry in _MARK.split(goal) if entry.strip()]
    if len(entries) > 2 or (len(entries) == 2 and _MARK.match(goal.lstrip())):
        pieces = [" ".join(entry.split()) for entry in entries]
        pieces = pieces[1:] if pieces[0].endswith(":") else pieces
    else:
        pieces = [piece.strip() for piece in _ENDED.split(" ".join(goal.split())) if piece.strip()]
    asking = [piece for piece in pieces if piece.endswith(("?", "\uff1f"))]
    yield from asking or pieces


def _ended(piece: str, sentence: str) -> str:
    mark = sentence[-1] if sentence[-1:] in "?\uff1f" else ""
    return piece if piece[-1:] in "?.!\uff1f" or not mark else piece + mark


def _with_context(piece: str, before: list[str]) -> str:
    """A part that points back names what it points to: its worker sees no other part."""
    if not before or not _PRONOUN.search(piece):
        return piece
    words = [word for word in asked_words(before[0]) if word not in VAGUE_WORDS and word not in asked_words(piece)]
    return f"{piece} (about: {' '.join(words[:6])})" if words else piece


def _by_document(task: str, evidence: Sequence[Evidence]) -> Iterator[str]:
    """One subtask for each document that speaks of it about as plainly as the best one does; nothing for fewer than two."""
    top: dict[str, float] = {}
    for item in evidence:
        if item.cited and item.path != "prompt":
            top[item.path] = max(top.get(item.path, 0.0), item.score)
    best = max(top.values(), default=0.0)
    chosen = [path for path, score in top.items() if score >= SAME * best and ")" not in path][:MAX_DOCUMENTS]
    if len(chosen) > 1:
        yield from (f"{task} (in: {path})" for path in chosen)


def _bare(task: str) -> str:
    """The few words of a task that matter most: names and figures, else the first that are not vague."""
    question = Question.read(task)
    words = [word for word, weight in question.words.items() if weight >= 1.0]
    names = [word for word in words if question.words[word] > 1.0]
    short = " ".join((names + [word for word in words if word not in names])[:6])
    return short if short and content_roots(short) != content_roots(task) else ""


def _type(types: Sequence[str], layout: Layout, task: str) -> str:
    """The worker type whose name and description are most like the task; the first of equal ones."""
    told = dict(layout.types)
    likeness = {name: similarity(f"{name} {told.get(name, '')}", task) for name in types}
    shared = {name: len(content_roots(f"{name} {told.get(name, '')}") & content_roots(task)) for name in types}
    return max(types, key=lambda name: (shared[name], round(likeness[name], 6) if shared[name] else 0.0))
