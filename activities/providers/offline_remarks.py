"""Free text of a worker that is given no documents: one plain sentence in the words of its task, and nothing made up.

A task is an instruction, and then what it is about: ``Which category is this expense? Bar Rossi: wine.`` A reason names
the words that a label was chosen by; anything else repeats what the task is about.
"""

import re
from collections.abc import Iterable, Sequence

from activities.providers.offline_words import content_roots, root, spoken
from activities.text import words

MAX_SENTENCE = 280
_REASONS = frozenset({"reason", "reasons", "why", "because", "explanation", "justification", "rationale"})
_NOTES = frozenset({"note", "notes", "comment", "comments", "remark", "remarks"})
_VERBS = """answer categorise categorize check choose classify comment decide describe describes explain find give judge label
    list name note pick rate review say sort state summarise summarize tell work write"""
_IMPERATIVE = re.compile(rf"(?i)\s*(?:please\s+)?(?:{'|'.join(_VERBS.split())})\b")
_OPENING = re.compile(r"(?s)(.+?(?:[?.!]|(:)))\s+(.*\S.*)")
_CLAUSE = re.compile(r"(?<=[.!?])\s+|;\s+")
_PIECE = re.compile(r"[.!?:;,]\s+")
_FIGURE = re.compile(r"\s*(?:\b(?:of|as|at|by|to|from|on|for)\s+)?[^\s\"]*\d[^\s\"]*(?:\s+[A-Z]{3}\b)?")


def sentence_for(name: str, labels: Sequence[str], task: str) -> str:
    """The text of a field: by its name a reason for the labels beside it, a note, or what the task is about."""
    about, named = without_instruction(task), set(words(name))
    if named & _REASONS and labels:
        return _bounded(_reason(labels, about))
    return _bounded(_without_figures(about) if named & _NOTES else about)


def own_words(task: str, given: str, evidence: Iterable[str]) -> str:
    """What a worker has to say: where its input is prose, the best sentences of it, otherwise its task."""
    prose = " ".join(quote.strip('" ') for quote in evidence) if given.lstrip().startswith('"') else ""
    return prose or task


def without_instruction(task: str) -> str:
    """What a task is about: its text behind a question or a command that opens it, or all of it."""
    said = " ".join(task.split())
    opening = _OPENING.fullmatch(said)
    if opening and (opening[1].endswith("?") or _IMPERATIVE.match(said)):
        return opening[3]
    return said


def _reason(labels: Sequence[str], about: str) -> str:
    wanted = {word for label in labels for word in content_roots(label)}
    for piece in _PIECE.split(about):
        if wanted & {root(word) for word in spoken(piece)}:
            return f'It says "{piece.rstrip(".!?")}".'
    return f'It comes closest to "{about.rstrip(".!? ")}".'


def _without_figures(about: str) -> str:
    """Its first clause, which says what it is, as it stands; what follows without figures: those stand in the record."""
    first, *others = [clause.rstrip(".!?; ") for clause in _CLAUSE.split(about)]
    others = [re.sub(rf"\A{_FIGURE.pattern}(?= is\b)", "it", clause) for clause in others]
    kept = [" ".join(_FIGURE.sub("", clause).split()) for clause in others]
    return "; ".join(clause for clause in [first, *kept] if any(map(str.isalpha, clause))) + "."


def _bounded(text: str) -> str:
    """At most a sentence's length, cut at a space."""
    return text if len(text) <= MAX_SENTENCE else text[:MAX_SENTENCE].rpartition(" ")[0] + "…"
