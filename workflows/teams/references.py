"""What ``$name`` stands for, however deep it is written, and what a node declares that it wants of a run's state."""

from collections.abc import Iterator, Mapping

from pydantic import JsonValue

from workflows.teams.tree import CallNode, Node, walk


def reference_of(value: JsonValue) -> str:
    """What a text ``$name`` stands for: the name; empty where it stands for itself."""
    return value[1:] if isinstance(value, str) and value[:1] == "$" and value[1:].isidentifier() else ""


def references(value: JsonValue, at: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], str]]:
    """Every name that a value refers to, with the keys and positions that lead to it."""
    if name := reference_of(value):
        yield at, name
    elif isinstance(value, dict | list):
        for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
            yield from references(inner, (*at, str(key)))


def filled(value: JsonValue, known: Mapping[str, JsonValue]) -> JsonValue:
    """A value with what is known in place of each ``$name``; other names stay. ``$$name`` is the text ``$name``.

    What is put in is data: nothing in it is a reference.
    """
    if isinstance(value, dict):
        return {key: filled(inner, known) for key, inner in value.items()}
    if isinstance(value, list):
        return [filled(inner, known) for inner in value]
    if (name := reference_of(value)) in known:
        return known[name]
    escaped = isinstance(value, str) and value[:2] == "$$" and value.lstrip("$").isidentifier()
    return value[1:] if escaped and isinstance(value, str) else value


def declared(node: Node) -> tuple[str, ...]:
    """The keys that a node and all below it declare, each once: what is nested has no other way to them."""
    found: dict[str, None] = {}
    for inner in walk(node):
        found |= dict.fromkeys(inner.needs)
        if isinstance(inner, CallNode):
            found |= dict.fromkeys(name for _, name in references(inner.arguments))
    return tuple(found)
