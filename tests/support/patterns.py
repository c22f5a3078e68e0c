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


def around(kind: str, inner: Node, tag: str) -> tuple[Node, Agents]:
    """A pattern that does what ``inner`` does; ``tag`` begins all names that it needs."""
    node, agents = _inside(kind, inner, tag)
    return {"kind": kind, "name": f"{tag}{kind}", **node}, {
        name: {"instructions": f"You are {name}.", "limits": LIMITS} for name in agents
    }


def _agent(name: str) -> Node:
    return {"kind": "agent", "agent": name}


def _inside(kind: str, inner: Node, tag: str) -> tuple[Node, list[str]]:
    """What a pattern says besides its kind and name, and the agents that it names itself."""
    match kind:
        case "pipeline":
            return {"stages": [inner]}, []
        case "fan_out":
            return {"branches": {"one": inner}}, []
        case "supervisor":
            workers = {"w": {"node": inner, "attempts": 1}}
            return {"workers": workers, "subtasks": [{"type": "w", "task": "Work."}]}, []
        case "hierarchy":
            names = [f"{tag}director", f"{tag}manager"]
            tiers = [{"name": f"{tag}tier{at}", "planner": name} for at, name in enumerate(names)]
            return {"tiers": tiers, "workers": {"w": {"node": inner, "attempts": 1}}, "max_depth": 4}, names
        case "router":
            return {"routes": {"here": {"node": inner}}, "classifier": _agent(f"{tag}classifier")}, [f"{tag}classifier"]
        case "debate":
            names = [f"{tag}first", f"{tag}second"]
            return {"debaters": {name: _agent(name) for name in names}, "judge": inner}, names
        case "refine":
            return {"writer": inner, "editor": _agent(f"{tag}editor")}, [f"{tag}editor"]
        case "plan":
            return {"planner": _agent(f"{tag}planner"), "executors": {"e": {"node": inner}}}, [f"{tag}planner"]
        case "network":
            peer = {"node": _agent(f"{tag}peer"), "subscribes": ["goal"]}
            return {"peers": {"p": peer}, "result": inner}, [f"{tag}peer"]
        case "monitor":
            rule = {"name": "never", "text": "forbidden", "verdict": "block", "reason": "no"}
            return {"node": inner, "rules": [rule]}, []
        case "workflow":
            return {"workflow": "tested_pattern", "nodes": {"a": inner}, "arguments": {"do": "relay"}}, []
    raise ValueError(kind)


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
