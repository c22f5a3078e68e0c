"""One small team of every pattern, and any pattern inside any other; models that answer whatever contract they are given."""

import json
from typing import Any

from workflows.teams.tree import NODE_KINDS, TeamSpec

MARK = "the-mark"
"""What every leaf says."""
LEAF = "You are the leaf."
LEAVES = ("agent", "call", "person")
PATTERNS = tuple(kind for kind in NODE_KINDS if kind not in LEAVES)

Node = dict[str, Any]
Agents = dict[str, dict[str, Any]]
LIMITS = {"model_calls": 4, "tool_calls": 2, "turns": 3}


def leaf(
    kind: str = "agent", *, tool: str = "echo", seconds: float = 0.2, default: bool = True, of: str = ""
) -> tuple[Node, Agents]:
    """A single step that says ``MARK``.

    Args:
        kind: agent, call or person.
        tool: of a call.
        seconds: that a person has.
        default: whether nobody's decision is an answer.
        of: what its instructions say besides.
    """
    if kind == "call":
        return {"kind": "call", "name": "leaf", "tool": tool, "arguments": _ARGUMENTS.get(tool, {})}, {}
    if kind == "person":
        answer = {"default": "answer", "default_answer": MARK} if default else {}
        return {"kind": "person", "name": "leaf", "question": "Well?", "asking": {"seconds": seconds, **answer}}, {}
    return {"kind": "agent", "agent": "leaf"}, {"leaf": {"instructions": LEAF + of, "limits": LIMITS}}


_ARGUMENTS = {"echo": {"text": MARK}, "explode": {"what": "it"}, "sleep_long": {}}


_TIERS = [{"name": "~tier0", "planner": "~director"}, {"name": "~tier1", "planner": "~manager"}]
_WORKERS = {"w": {"node": "$inner", "attempts": 1}}
_RULE = {"name": "never", "text": "forbidden", "verdict": "block", "reason": "no"}
SHAPES: dict[str, Node] = {
    "pipeline": {"stages": ["$inner"]},
    "fan_out": {"branches": {"one": "$inner"}},
    "supervisor": {"workers": _WORKERS, "subtasks": [{"type": "w", "task": "Work."}]},
    "hierarchy": {"tiers": _TIERS, "workers": _WORKERS, "max_depth": 4},
    "router": {"routes": {"here": {"node": "$inner"}}, "classifier": "@classifier"},
    "debate": {"debaters": {"a": "@first", "b": "@second"}, "judge": "$inner"},
    "refine": {"writer": "$inner", "editor": "@editor"},
    "plan": {"planner": "@planner", "executors": {"e": {"node": "$inner"}}},
    "network": {"peers": {"p": {"node": "@peer", "subscribes": ["goal"]}}, "result": "$inner"},
    "monitor": {"node": "$inner", "rules": [_RULE]},
    "workflow": {"workflow": "tested_pattern", "nodes": {"a": "$inner"}, "arguments": {"do": "relay"}},
}
"""What a pattern says besides its kind and name: ``$inner`` is the node in it, ``~x`` an agent's or a tier's name, and
``@x`` the node of an agent of that name."""


def around(kind: str, inner: Node, tag: str) -> tuple[Node, Agents]:
    """A pattern that does what ``inner`` does; ``tag`` begins all names that it needs."""
    agents: Agents = {}

    def filled(part: Any) -> Any:
        if isinstance(part, dict):
            return {key: filled(value) for key, value in part.items()}
        if isinstance(part, list):
            return [filled(value) for value in part]
        if part == "$inner":
            return inner
        if not isinstance(part, str) or part[:1] not in {"~", "@"}:
            return part
        name = f"{tag}{part[1:]}"
        agents[name] = {"instructions": f"You are {name}.", "limits": LIMITS}
        return name if part[0] == "~" else {"kind": "agent", "agent": name}

    node = {"kind": kind, "name": f"{tag}{kind}", **filled(SHAPES[kind])}
    return node, {name: agent for name, agent in agents.items() if "tier" not in name}


def team(root: Node, *agents: Agents) -> TeamSpec:
    """A team of one tree."""
    known = {name: agent for more in agents for name, agent in more.items()}
    return TeamSpec.model_validate({"team": "patterns", "agents": known, "root": root}, extra="forbid")


def fitted(schema: dict[str, Any] | None, name: str = "") -> Any:
    """A value that a contract of the patterns allows, and that lets the pattern go on: first labels, full confidence."""
    if not schema:
        return MARK
    match schema.get("type"):
        case _ if "enum" in schema:
            return schema["enum"][0]
        case "object":
            required = schema.get("required", [])
            return {key: fitted(part, key) for key, part in schema.get("properties", {}).items() if key in required}
        case "array":
            return [fitted(schema["items"])] if name in {"tasks", "subtasks", "events"} else []
        case "boolean":
            return True
        case "number" | "integer":
            return schema.get("maximum", 1)
    return {"event_type": "said.so", "task_id": "only"}.get(name, MARK)


def said(schema: dict[str, Any] | None) -> str:
    """The same as a model's text."""
    value = fitted(schema)
    return value if isinstance(value, str) else json.dumps(value)
