"""Which granted tool the request needs next, if any. At most ``MAX_CALLS`` in a conversation, none of them twice.

Arguments come from the question alone: no document can make a call happen or fill one.
"""

import hashlib
import json
import re
from collections.abc import Iterable, Iterator
from typing import Any

from jsonschema import Draft202012Validator

from activities.contracts.messages import ToolCall
from activities.contracts.profile import Effect, ToolSpec
from activities.providers.offline_evidence import Evidence
from activities.providers.offline_labels import closest
from activities.providers.offline_question import Question
from activities.providers.offline_reading import PATH_NAMES, QUERY_NAMES, Reading, argument_names
from activities.providers.offline_words import asked_words, related
from activities.text import content_words, stems

MAX_CALLS = 3
GOOD = 0.9
"""A sentence that covers so much of the question needs no further search."""
MAX_QUERY = 400
"""Characters of a query: a long question's first sentences."""
LINES_BEFORE, LINES_READ = 10, 60
"""Lines read before a passage that fits, and in all: the section around it."""

_NUMBER = re.compile(r"(?<![\w.])-?\d[\d,]*(?:\.\d+)?(?!\.?\d)")
_DATE = re.compile(r"\b\d{4}-\d{2}-\d{2}\b")
_STRING = re.compile(r'"([^"\n]+)"|“([^”\n]+)”|`([^`\n]+)`|(?<!\w)\'([^\'\n]+)\'(?!\w)')
_FILE = re.compile(r"[\w./-]*\w\.[A-Za-z]\w{0,7}\b")


def next_call(tools: tuple[ToolSpec, ...], reading: Reading, evidence: list[Evidence]) -> ToolCall | None:
    """The next call, or nothing where the answer can be given."""
    if reading.answered or len(reading.calls) >= MAX_CALLS or not reading.question:
        return None
    tried = {(call.tool, _canonical(call.arguments)) for call, _ in reading.calls}
    used = {call.tool for call, _ in reading.calls}
    for spec, arguments in _proposals(tools, reading, evidence):
        text = json.dumps(arguments, ensure_ascii=False, sort_keys=True)
        again = spec.name in used and not (spec.effect is Effect.READ and "query" in _kind(spec))
        if again or (spec.name, text) in tried or not _fits(spec, arguments):
            continue
        name = hashlib.sha256(f"{len(reading.calls)} {spec.name} {text}".encode("utf-8", "replace")).hexdigest()
        return ToolCall(tool_call_id=f"call_{name[:16]}", tool=spec.name, arguments=text)
    return None


def finds_documents(tools: Iterable[ToolSpec]) -> bool:
    """Whether one of these searches, or reads a document."""
    return any(map(_kind, tools))


def _proposals(
    tools: tuple[ToolSpec, ...], reading: Reading, evidence: list[Evidence]
) -> Iterator[tuple[ToolSpec, dict[str, Any]]]:
    computed = any(not item.cited for item in evidence)
    for spec in tools:
        if not computed and not _kind(spec) and _needed(spec, reading.question):
            yield from ((spec, arguments) for arguments in _filled(spec, reading.question))
    searches = [spec for spec in tools if _kind(spec) == "query"]
    if not evidence:
        yield from (
            (spec, {_only(spec): _query(reading.question), **_many(spec, reading.question)}) for spec in searches
        )
        # A search that failed may have choked on the question; the words alone are the second try.
        failed = {call.tool for call, failed in reading.calls if failed}
        short = " ".join(content_words(reading.question)[:12])
        other = _other_words(reading.question)
        for spec in searches:
            yield spec, {_only(spec): short if spec.name in failed else other or short}
    elif max(item.coverage for item in evidence) < GOOD:
        # Something was found, but the best may stand further down.
        yield from (
            (spec, {_only(spec): _query(reading.question), **more}) for spec in searches if (more := _more(spec))
        )
    for spec in tools:
        if _kind(spec) == "path":
            yield from ((spec, arguments) for arguments in _reads(spec, reading, evidence))


def _kind(spec: ToolSpec) -> str:
    """``query`` for a search, ``path`` for reading one document, else nothing."""
    only = _only(spec)
    if not only or spec.effect is not Effect.READ:
        return ""
    parts = set(only.lower().split("_"))
    return "query" if parts & QUERY_NAMES else "path" if parts & PATH_NAMES else ""


def _only(spec: ToolSpec) -> str:
    """The one required parameter, where it is a free string."""
    required = _list(spec.parameters.get("required"))
    if len(required) != 1:
        return ""
    parameter = _properties(spec).get(str(required[0]), {})
    return str(required[0]) if parameter.get("type") == "string" and "enum" not in parameter else ""


def _other_words(question: str) -> str:
    """The same in words that documents may use instead; nothing where we know none."""
    asked = asked_words(question)
    others = [other for word in asked for other in related(word) if other not in asked]
    return " ".join([*asked[:12], *dict.fromkeys(others)][:40]) if others else ""


def _many(spec: ToolSpec, question: str) -> dict[str, int]:
    """For a question of one word, which stands in many places, as many passages as the tool gives."""
    return _more(spec) if sum(weight >= 1.0 for weight in Question.read(question).words.values()) == 1 else {}


def _more(spec: ToolSpec) -> dict[str, int]:
    limit = _properties(spec).get("limit", {})
    most = limit.get("maximum")
    return {"limit": most} if isinstance(most, int) and limit.get("type") == "integer" else {}


def _query(question: str) -> str:
    if len(question) <= MAX_QUERY:
        return question
    cut = question[:MAX_QUERY]
    return cut[: cut.rfind(" ")] if " " in cut else cut


def _reads(spec: ToolSpec, reading: Reading, evidence: list[Evidence]) -> Iterator[dict[str, Any]]:
    """Around the best sentence, where it does not cover the question; or the file that the question names."""
    only = _only(spec)
    if any(argument_names(call) & PATH_NAMES for call, _ in reading.calls):
        return
    cited = [item for item in evidence if item.cited and item.path != "prompt"]
    if cited and cited[0].coverage < 0.999:
        near: dict[str, Any] = {only: cited[0].path}
        for name, parameter in _properties(spec).items():
            parts = set(name.lower().split("_"))
            if parameter.get("type") == "integer" and {"start", "page"} <= parts:
                near |= {name: cited[0].page} if cited[0].page else {}
            elif parameter.get("type") == "integer" and "start" in parts:
                near |= {} if cited[0].page else {name: max(1, cited[0].line - LINES_BEFORE)}
            elif parameter.get("type") == "integer" and parts & {"max", "limit", "count"}:
                near[name] = LINES_READ
        yield near if _fits(spec, near) else {only: cited[0].path}
    elif not evidence:
        yield from ({only: name} for name in _FILE.findall(reading.question)[:1])
        # The best passage may lack what stands above it: a title, the names of columns.
        yield from ({only: document.path} for document in reading.documents[:1] if reading.calls)


def _needed(spec: ToolSpec, question: str) -> bool:
    """Whether the question speaks of what the tool does. What changes the world has to be asked for by its name."""
    asked = stems(question)
    name = stems(spec.name.replace("-", "_"))
    if spec.effect is not Effect.READ:
        return bool(name) and name <= asked
    shared = (name | stems(spec.description)) & asked
    properties = _properties(spec)
    typed = [properties.get(str(item), {}) for item in _list(spec.parameters.get("required"))]
    closed = bool(typed) and all(item.get("type") in {"number", "integer"} or "enum" in item for item in typed)
    return len(shared) >= (1 if closed else 2)


def _filled(spec: ToolSpec, question: str) -> Iterator[dict[str, Any]]:
    """The required arguments, in order, each from the question; nothing where one is missing."""
    numbers = [float(found.replace(",", "")) for found in _NUMBER.findall(_DATE.sub(" ", question))]
    dates, files = _DATE.findall(question), _FILE.findall(question)
    quoted = [next(filter(None, found)) for found in _STRING.findall(question)]
    arguments: dict[str, Any] = {}
    for item in _list(spec.parameters.get("required")):
        name = str(item)
        parameter = _properties(spec).get(name, {})
        kind = parameter.get("type")
        labels = [
            label for label in _list(parameter.get("enum")) if isinstance(label, str) and stems(label) & stems(question)
        ]
        value: Any = None
        if "enum" in parameter:
            value = closest(labels, question) if labels else None
        elif kind in {"number", "integer"} and numbers:
            number = numbers.pop(0)
            value = int(number) if number.is_integer() and kind == "integer" else number
        elif kind == "string" and parameter.get("format") == "date":
            value = dates.pop(0) if dates else None
        elif kind == "string":
            pool = files if set(name.lower().split("_")) & PATH_NAMES and files else quoted
            value = pool.pop(0) if pool else None
        if value is None:
            return
        arguments[name] = value
    yield arguments


def _fits(spec: ToolSpec, arguments: dict[str, Any]) -> bool:
    return bool(Draft202012Validator(spec.parameters).is_valid(arguments))


def _properties(spec: ToolSpec) -> dict[str, dict[str, Any]]:
    """The parameters, with references resolved."""
    properties, definitions = spec.parameters.get("properties"), spec.parameters.get("$defs")
    found: dict[str, dict[str, Any]] = {}
    for name, parameter in properties.items() if isinstance(properties, dict) else ():
        value: Any = parameter
        if isinstance(value, dict) and isinstance(value.get("$ref"), str) and isinstance(definitions, dict):
            value = definitions.get(value["$ref"].rsplit("/", 1)[-1])
        found[name] = value if isinstance(value, dict) else {}
    return found


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _canonical(arguments: str) -> str:
    try:
        return json.dumps(json.loads(arguments), ensure_ascii=False, sort_keys=True)
    except (ValueError, RecursionError):
        return arguments
