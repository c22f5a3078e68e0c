"""What a conversation holds for the offline model: the question, the texts it may quote, and what was tried already.

Only the user's question decides what is done. A document is a text to quote from, whatever it says.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from activities.contracts.messages import AssistantMessage, Message, ToolCall, ToolMessage, UserMessage
from activities.providers.offline_prompts import Layout, lay_out, unconstrained
from activities.providers.offline_sentences import sentences
from activities.text import line_at

NOTHING = "not in these documents"
"""The answer where no sentence fits."""
WITHHELD = "this may not be said"
"""The answer where no sentence is left after one that was not let through."""
_NOT_LET_THROUGH = "Your answer was not let through"
"""How the correction of an answer that a monitor has blocked begins."""
MAX_QUESTION = 2_000
"""Characters of the question that are read."""
MAX_TEXT_READ = 1_000_000
"""Characters of documents that are read, of the latest ones: about 250,000 tokens."""
MAX_OBJECTS = 2_000
QUERY_NAMES = frozenset({"query", "question", "q", "search", "keywords", "keyword", "terms", "topic"})
PATH_NAMES = frozenset({"path", "file", "filename", "document", "doc", "page"})

_TEXTS = ("text", "content", "excerpt", "passage", "snippet", "quote", "body")
_SOURCES = ("source", "citation", "path", "file", "url")
_LINES = ("line", "start_line")
_SOURCE = re.compile(r"(?s)(.+):(p?)(\d{1,9})")
_QUOTED = re.compile(r'(?s)"(.+)" \(([^\n]+:p?\d{1,9})\)')
_CUT_OBJECT = re.compile(r'\{"source": ("(?:[^"\\]|\\.)*"), "text": "((?:[^"\\]|\\.)*)', re.DOTALL)
_ABOUT_AN_ANSWER = (
    "Your answer ",
    "These are the results so far",
    "Summary of the conversation",
    "Your draft",
    "Your plan cannot be carried out",
    "These are the votes",
)
"""How corrections, follow-ups and summaries begin: they belong to the question before them."""
_ON_A_QUESTION = re.compile(
    r"\S{1,100} (?:answers|has no answer to) your question\.|Your question to \S{1,100} was not asked: "
)
"""How what became of a question that it asked itself begins."""


@dataclass(frozen=True, slots=True)
class Document:
    """A text, and the line of its source on which it starts."""

    path: str
    line: int
    text: str
    cited: bool = True
    """``False`` for what a tool computed: it has no line to point to."""
    page: int = 0
    """Of a PDF, whose lines have no numbers."""
    columns: str = ""
    """Of rows of a table: its first row."""


@dataclass(frozen=True)
class Reading:
    """The conversation, read."""

    question: str
    subject: str
    """The whole first message, for choosing labels."""
    prompt: tuple[Document, ...]
    """What stands in the first message besides the question."""
    documents: tuple[Document, ...]
    """What tools returned with a source, and what a summary kept of it."""
    facts: tuple[Document, ...]
    """Short results of tools that compute something."""
    complaints: str
    """What was said about earlier answers."""
    calls: tuple[tuple[ToolCall, bool], ...]
    """Calls made so far; ``True`` for those that failed."""
    layout: Layout | None
    """How a supervisor's prompt is laid out; nothing for any other."""
    answered: bool
    """An answer or a summary was given before: the search is over."""
    opening: str
    """The first message, without the constraints that hold for all of it."""

    @property
    def nothing(self) -> str:
        """The answer where there is none: what was found and not let through is in the documents."""
        return WITHHELD if _NOT_LET_THROUGH in self.complaints else NOTHING


def read(messages: list[Message]) -> Reading:
    """Read a conversation, from the last question in it on."""
    messages = messages[_begin(messages) :]
    first = next((message.text for message in messages if isinstance(message, UserMessage)), "")
    opening = unconstrained(first)
    layout = lay_out(opening)
    question, prompt = _task(layout) if layout else _question(opening)
    documents: list[Document] = []
    facts: list[Document] = []
    complaints: list[str] = []
    failed = {message.tool_call_id for message in messages if isinstance(message, ToolMessage) and message.is_error}
    calls = [call for message in messages if isinstance(message, AssistantMessage) for call in message.tool_calls]
    asked = {call.tool_call_id: call for call in calls}
    answered = any(
        isinstance(message, AssistantMessage) and message.text and not message.tool_calls for message in messages
    )
    for message in messages:
        if isinstance(message, ToolMessage) and not message.is_error:
            found, computed = _result(message, asked.get(message.tool_call_id))
            documents += found
            facts += computed
        elif isinstance(message, UserMessage) and message.text is not first:
            quoted = list(kept(message.text))
            documents += quoted
            answered = answered or bool(quoted) or NOTHING in message.text
            if not quoted:
                complaints.append(unconstrained(message.text))
    return Reading(
        question=question,
        subject=opening[:MAX_QUESTION],
        prompt=tuple(prompt),
        documents=tuple(_bounded(documents)),
        facts=tuple(facts),
        complaints="\n".join(complaints),
        calls=tuple((call, call.tool_call_id in failed) for call in calls),
        layout=layout,
        answered=answered,
        opening=opening,
    )


def _begin(messages: list[Message]) -> int:
    """Where the last question stands: what a person says after an answer, unless it is about that answer."""
    begin, answered = 0, False
    for at, message in enumerate(messages):
        if isinstance(message, AssistantMessage):
            answered = bool(message.text) and not message.tool_calls
        elif isinstance(message, UserMessage) and answered:
            if not message.text.startswith(_ABOUT_AN_ANSWER) and not _ON_A_QUESTION.match(message.text):
                begin = at
            answered = False
    return begin


def argument_names(call: ToolCall) -> set[str]:
    """The words in the names of a call's arguments."""
    try:
        given = json.loads(call.arguments)
    except (ValueError, RecursionError):
        return set()
    return {part for name in given for part in str(name).lower().split("_")} if isinstance(given, dict) else set()


def _task(layout: Layout) -> tuple[str, list[Document]]:
    """A supervisor's prompt says what is the task, and what belongs to it."""
    rest = layout.material
    inner = list(documents_in(rest)) if '"source"' in rest else []
    prompt = inner or ([Document("prompt", 1, rest)] if rest.strip() else [])
    return layout.task[:MAX_QUESTION].strip(), prompt


def _question(first: str) -> tuple[str, list[Document]]:
    """The question in the first message, and the rest of it as documents."""
    # The question opens or closes the message; what is between may be long and is not split here.
    tail = max(0, len(first) - MAX_QUESTION)
    opening = [(found.start, found.end) for found in list(sentences(first[:MAX_QUESTION]))[:1]]
    closing = [(tail + found.start, tail + found.end) for found in list(sentences(first[tail:]))[-1:]]
    asking = [
        pair for pair in {*opening, *closing} if first[pair[0] : pair[1]].rstrip('"\u201d) ').endswith(("?", "\uff1f"))
    ]
    if asking:
        ranges = sorted(asking)
    else:
        blank = re.search(r"\n\s*\n", first)
        ranges = [(0, blank.start() if blank else len(first))]
    question = " ".join(first[start:end] for start, end in ranges)[:MAX_QUESTION].strip()
    inner = list(documents_in(first)) if '"source"' in first else []
    if inner:
        return question, inner
    edges = [0, *(edge for pair in ranges for edge in pair), len(first)]
    rest = ((edges[at], edges[at + 1]) for at in range(0, len(edges), 2))
    return question, [
        Document("prompt", line_at(first, start), first[start:end]) for start, end in rest if first[start:end].strip()
    ]


def _result(message: ToolMessage, call: ToolCall | None) -> tuple[list[Document], list[Document]]:
    found = list(documents_in(message.text))
    if found:
        return found, []
    names = argument_names(call) if call else set()
    value = _loads(message.text)
    if isinstance(value, list | dict) and not value:
        return [], []
    if names & (QUERY_NAMES | PATH_NAMES):
        return [Document(message.tool, 1, text) for text in _strings(value, message.text)], []
    if 0 < len(message.text.strip()) <= 500:
        return [], [Document(message.tool, 1, message.text.strip(), cited=False)]
    return [Document(message.tool, 1, message.text)], []


def documents_in(text: str) -> Iterator[Document]:
    """Every JSON object with a text and a source in a text, also where the JSON is cut off or stands among prose."""
    whole = _loads(text)
    if whole is not None:
        yield from _walk(whole)
        return
    decoder, at = json.JSONDecoder(), text.find("{")
    for _ in range(MAX_OBJECTS):
        if at < 0:
            return
        try:
            value, end = decoder.raw_decode(text, at)
            yield from _walk(value)
        except (ValueError, RecursionError):
            yield from _cut_off(text, at)
            end = at + 1
        at = text.find("{", end)


def _cut_off(text: str, at: int) -> Iterator[Document]:
    """The last object of a preview: its whole lines are good, what follows the last line end is not."""
    found = _CUT_OBJECT.match(text, at)
    if found is None or "\\n" not in found[2]:
        return
    source, body = _loads(found[1]), _loads(f'"{found[2].rpartition(chr(92) + "n")[0]}"')
    if isinstance(source, str) and isinstance(body, str):
        yield from _walk({"source": source, "text": body})


def _walk(value: Any) -> Iterator[Document]:
    stack, seen = [value], 0
    while stack and seen < MAX_OBJECTS:
        seen += 1
        part = stack.pop()
        if isinstance(part, dict):
            document = _document(part)
            if document:
                yield document
            else:
                stack += reversed(list(part.values()))
        elif isinstance(part, list):
            stack += reversed(part)


def _document(value: dict[str, Any]) -> Document | None:
    text = next((value[name] for name in _TEXTS if isinstance(value.get(name), str)), "")
    source = next((value[name] for name in _SOURCES if isinstance(value.get(name), str)), "")
    if not text.strip() or not source:
        return None
    columns = value.get("columns")
    columns = columns if isinstance(columns, str) else ""
    if placed := place_of(source):
        path, line, page = placed
        return Document(path, line, text, page=page, columns=columns)
    line = next((value[name] for name in _LINES if isinstance(value.get(name), int)), 1)
    return Document(source, line, text)


def place_of(source: str) -> tuple[str, int, int] | None:
    """Path, line and page of a source; the line of a page is 1, and the page of a line 0."""
    found = _SOURCE.fullmatch(source)
    if not found:
        return None
    return (found[1], 1, int(found[3])) if found[2] else (found[1], int(found[3]), 0)


def kept(text: str) -> Iterator[Document]:
    """Quotations as our own answers and summaries write them, one in a paragraph."""
    for paragraph in text.split("\n\n"):
        found = _QUOTED.fullmatch(paragraph.strip())
        placed = place_of(found[2]) if found else None
        if found and placed:
            yield Document(placed[0], placed[1], found[1], page=placed[2])


def _bounded(documents: list[Document]) -> list[Document]:
    room, found = MAX_TEXT_READ, []
    for document in reversed(documents):
        room -= len(document.text)
        if room < 0:
            break
        found.append(document)
    return found[::-1]


def _strings(value: Any, text: str) -> list[str]:
    if isinstance(value, list):
        return [item for item in value if isinstance(item, str)]
    return [value if isinstance(value, str) else text]


def _loads(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None
