"""What a node declares that it wants of a run's state: by ``needs``, and by ``$name`` in the arguments of its calls."""

from pydantic import JsonValue

from workflows.teams.tree import CallNode, Node, walk


def reference_of(value: JsonValue) -> str:
    """What an argument ``$name`` stands for: the name; empty where it stands for itself."""
    return value[1:] if isinstance(value, str) and value[:1] == "$" and value[1:].isidentifier() else ""


def declared(node: Node) -> tuple[str, ...]:
    """The keys that a node and all below it declare, each once: what is nested has no other way to them."""
    found: dict[str, None] = {}
    for inner in walk(node):
        found |= dict.fromkeys(inner.needs)
        if isinstance(inner, CallNode):
            found |= dict.fromkeys(filter(None, map(reference_of, inner.arguments.values())))
    return tuple(found)
