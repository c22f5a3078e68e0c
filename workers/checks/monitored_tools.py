"""Arguments that a tool gets and no monitor sees: under another name, or made by the tool when it is called.

Rules look at a call as it was proposed, with the defaults that are known at admission. A rule on such an argument would be
passed by without a word, so it is refused.
"""

from collections.abc import Iterable
from typing import Any

from pydantic import AliasChoices, AliasPath
from pydantic.fields import FieldInfo

from activities.contracts.monitors import MonitorRule
from activities.tools.base import Tool
from workers.checks.findings import At, Finding, Findings, TeamView

_FIX = (
    "put it into a grant, which sees what the tool gets, or let the tool take it by one name and with a plain default"
)


def unseen(view: TeamView, tools: Iterable[str], at: At, who: str, rule: MonitorRule) -> Findings:
    """What a rule says of such arguments. Of an MCP server's tool nothing is known here."""
    for tool in sorted(name for name in tools if name in view.tools):
        for name, field in view.tools[tool].arguments.model_fields.items():
            names = _names(name, field)
            for part in ("arguments", "replace", "limit"):
                for given in sorted(names & getattr(rule, part).keys()):
                    if names != {name}:
                        listed = ", ".join(sorted(names))
                        message = f"{who} names {given!r}, and {tool!r} takes that by other names too: {listed}"
                        yield Finding((*at, part, given), message, _FIX)
                    elif part != "replace" and _is_made(view.tools[tool], name, field):
                        message = f"{who} names {given!r}, whose default {tool!r} makes when it is called"
                        yield Finding((*at, part, given), message, _FIX)


def _names(name: str, field: FieldInfo) -> set[str]:
    """All by which an argument may come."""
    alias = field.validation_alias
    paths = alias.choices if isinstance(alias, AliasChoices) else [alias] if alias is not None else []
    return {name, *(str(path.path[0]) if isinstance(path, AliasPath) else path for path in paths)}


def _is_made(tool: Tool, name: str, field: FieldInfo) -> bool:
    """Whether nobody knows the default before the call."""
    properties: Any = tool.spec.parameters.get("properties", {})
    return not field.is_required() and "default" not in properties.get(name, {})
