"""Calls: their arguments fit the tool, and every ``$name`` is one that their place in the tree offers."""

import json
from collections.abc import Iterator

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from activities.tools.base import Tool
from workers.checks.findings import At, Finding, Findings, TeamView
from workers.checks.names import not_known, or_the_text
from workflows.teams.references import filled, references
from workflows.teams.tree import CallNode, Node, inner_nodes

Offer = tuple[At, Node, tuple[str, ...]]
"""A node with its place, and the names that its place offers to its arguments, besides ``goal`` and what it needs."""


def calls(view: TeamView) -> Findings:
    """What cannot work in the arguments of calls."""
    for at, node, offered in offers(view.team.root):
        if isinstance(node, CallNode):
            names = sorted({"goal", *offered, *node.needs})
            yield from _references((*at, "arguments"), node, names)
            if node.tool in view.tools:
                # A workflow of the user's own gives the calls that it makes the rest of their arguments.
                later = offered == ("*",)
                yield from _arguments((*at, "arguments"), node, view.tools[node.tool], completed_later=later)


def offers(node: Node, at: At = ("root",), offered: tuple[str, ...] = (), base: At | None = None) -> Iterator[Offer]:
    """Every node of a tree with what its place offers. The places of its parts are counted from ``base``, else from it."""
    yield at, node, offered
    of = {part.place: part for part in node.parts()}
    for where, inner in inner_nodes(node):
        below, part = (*(base or at), *where.split(".")), of.get(where)
        own = part.offers if part else offered
        # ``^``: and what the pattern was offered itself.
        names = tuple(name for one in own for name in (offered if one == "^" else (one,)))
        yield from offers(inner, below, names, (base or at) if part and part.outer else None)


def _references(at: At, node: CallNode, offered: list[str]) -> Findings:
    for below, reference in references(node.arguments):
        if reference not in offered and "*" not in offered:
            where = f" in {'.'.join(below)[:200]}" if len(below) > 1 else ""
            yield Finding(
                (*at, *below),
                f"the call {node.name!r} names ${reference}{where}, which its place in the tree does not offer",
                or_the_text(not_known(reference, offered), reference),
            )


def _arguments(at: At, node: CallNode, tool: Tool, *, completed_later: bool) -> Findings:
    named = {below[0]: reference for below, reference in references(node.arguments)}
    try:
        tool.arguments.model_validate_json(json.dumps(filled(node.arguments, dict.fromkeys(named.values()))))
    except ValidationError as error:
        # A reference may stand for anything, the goal for a text. A wrong name says more than what it leaves missing.
        found = [e for e in error.errors(include_url=False) if not e["loc"] or e["loc"][0] not in named]
        if completed_later:
            found = [e for e in found if e["type"] != "missing"]
        if found:
            yield _explain(at, node, min(found, key=lambda e: e["type"] != "extra_forbidden"), tool)


def _explain(at: At, node: CallNode, error: ErrorDetails, tool: Tool) -> Finding:
    name, known = ".".join(map(str, error["loc"])) or "arguments", sorted(tool.arguments.model_fields)
    said = {"extra_forbidden": "is no argument of it", "missing": "is missing"}.get(error["type"], error["msg"])
    return Finding(
        (*at, *map(str, error["loc"])),
        f"the arguments of the call {node.name!r} do not fit the tool {node.tool!r}: {name}: {said}",
        not_known(name, known) if error["type"] == "extra_forbidden" else f"its arguments are: {', '.join(known)}",
    )
