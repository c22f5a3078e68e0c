"""Checks a team's tree before anything is spent, and completes what the platform gives: a planner's output contract."""

import json
from collections import Counter
from collections.abc import Mapping

from pydantic import JsonValue, ValidationError
from pydantic_core import ErrorDetails

from activities.contracts.profile import OutputContract
from activities.errors import ConfigurationInvalid
from activities.tools.base import Tool
from workers.team_file import nearest
from workflows.call_step import reference_of
from workflows.teams.bounds import CHILD_EVENTS, dispatches
from workflows.teams.tree import (
    AgentNode,
    CallNode,
    Node,
    PipelineNode,
    SupervisorNode,
    TeamSpec,
    WorkflowNode,
    node_key,
    node_name,
    walk,
)

MAX_EVENTS = 10_000
"""Events that the children of one supervisor may make: a fifth of what the server takes."""
MAX_DEPTH = 5
"""Supervisors above each other: a path has at most 16 parts, and each takes up to three."""

_WORKER = ("task", "input", "subtask_id")
_SPLIT = ("input", "round", "results")
_SYNTHESIS = ("input", "results", "missing")
_REVIEW = (*_SYNTHESIS, "draft", "final")
_GATE = (*_REVIEW, "review")


def complete(team: TeamSpec) -> TeamSpec:
    """The team with its planners' contracts, checked. Completing twice changes nothing.

    Raises:
        ConfigurationInvalid: the first thing in the tree that cannot work.
    """
    _check_names(team)
    agents = dict(team.agents)
    for node in walk(team.root):
        if isinstance(node, SupervisorNode):
            _check_supervisor(node)
            if node.planner:
                _check_planner(team, node.planner)
                contract = planner_contract(node)
                given = agents[node.planner].output
                if given not in (None, contract):
                    raise ConfigurationInvalid(
                        f"the agent {node.planner!r} plans for {node.name!r} and has an output contract of its own",
                        fix="leave its output away: the worker types make it; or give this job to another agent",
                    )
                agents[node.planner] = agents[node.planner].model_copy(update={"output": contract})
    return team.model_copy(update={"agents": agents})


def planner_contract(node: SupervisorNode) -> OutputContract:
    """What a planner has to answer: at most so many subtasks, of types that there are."""
    subtask: dict[str, JsonValue] = {
        "type": "object",
        "additionalProperties": False,
        "required": ["type", "task"],
        "properties": {
            "type": {"type": "string", "enum": list(node.workers), "description": "The worker type."},
            "task": {
                "type": "string",
                "minLength": 1,
                "maxLength": 8000,
                "description": "All that the worker is told.",
            },
        },
    }
    return OutputContract(
        schema_={
            "type": "object",
            "additionalProperties": False,
            "required": ["subtasks"],
            "properties": {"subtasks": {"type": "array", "maxItems": node.max_subtasks, "items": subtask}},
        }
    )


def check_calls(node: Node, tools: Mapping[str, Tool], offered: tuple[str, ...] = ()) -> None:
    """Check the arguments of every call below a node, by what its place in the tree offers.

    Raises:
        ConfigurationInvalid: the tool would refuse them, or a ``$name`` is not offered there.
    """
    match node:
        case CallNode() if node.tool in tools:
            _check_arguments(node, tools[node.tool], ("goal", *offered))
        case PipelineNode():
            keys = [*offered, "input"]
            for stage in node.stages:
                check_calls(stage, tools, tuple(keys))
                keys.append(node_key(stage))
        case WorkflowNode():
            for inner in node.nodes.values():
                check_calls(inner, tools, (*offered, "input"))
        case SupervisorNode():
            for worker in node.workers.values():
                check_calls(worker.node, tools, _WORKER)
            for part, names in (
                (node.split, _SPLIT),
                (node.synthesis, _SYNTHESIS),
                (node.review, _REVIEW),
                (node.gate, _GATE),
            ):
                if part:
                    check_calls(part, tools, names)
        case _:
            pass


def _check_names(team: TeamSpec) -> None:
    nodes = list(walk(team.root))
    for node in nodes:
        if isinstance(node, AgentNode) and node.agent not in team.agents:
            raise ConfigurationInvalid(
                f"the tree names the agent {node.agent!r}, which the team does not have",
                fix=nearest(node.agent, sorted(team.agents)),
            )
    names = [node_name(node) for node in nodes if not isinstance(node, AgentNode)]
    (name, count), *_ = Counter([*names, *team.agents]).most_common(1) or [("", 0)]
    if count > 1:
        raise ConfigurationInvalid(
            f"two nodes of the tree are named {name!r}", fix="give each call, supervisor and agent a name of its own"
        )


def _check_planner(team: TeamSpec, planner: str) -> None:
    nodes = list(walk(team.root))
    plans = sum(isinstance(node, SupervisorNode) and node.planner == planner for node in nodes)
    if sum(isinstance(node, AgentNode) and node.agent == planner for node in nodes) > plans:
        raise ConfigurationInvalid(
            f"the agent {planner!r} is a planner, whose answers are subtasks, and does other work in the tree too",
            fix="give the other work to an agent of its own",
        )


def _check_supervisor(node: SupervisorNode) -> None:
    where = f"the supervisor {node.name!r}"
    given = [name for name in ("subtasks", "split", "planner") if getattr(node, name)]
    if len(given) != 1:
        raise ConfigurationInvalid(
            f"{where} has {' and '.join(given) or 'no decomposition'}", fix="give one of subtasks, split and planner"
        )
    if (node.gate and not node.synthesis) or (node.review and not node.gate):
        raise ConfigurationInvalid(
            f"{where} has {'a gate without a synthesis' if node.gate else 'a review without a gate'}",
            fix="a review goes to a gate, and a gate decides on a synthesis",
        )
    if len(node.subtasks) > node.max_subtasks:
        raise ConfigurationInvalid(
            f"{where} has {len(node.subtasks)} subtasks, more than max_subtasks={node.max_subtasks}",
            fix="raise max_subtasks",
        )
    types = [subtask.type for subtask in node.subtasks] + [o for w in node.workers.values() for o in w.reroute]
    for worker_type in types:
        if worker_type not in node.workers:
            raise ConfigurationInvalid(
                f"{where} has no worker type {worker_type!r}", fix=nearest(worker_type, list(node.workers))
            )
    if dispatches(node) * CHILD_EVENTS > MAX_EVENTS:
        raise ConfigurationInvalid(
            f"{where} may dispatch {dispatches(node):,} attempts; its history holds {MAX_EVENTS // CHILD_EVENTS:,}",
            fix="lower max_subtasks, attempts or reroute",
        )
    if _depth(node) > MAX_DEPTH:
        raise ConfigurationInvalid(
            f"{where} has more than {MAX_DEPTH} supervisors above each other", fix="flatten the tree"
        )


def _depth(node: Node) -> int:
    if not isinstance(node, SupervisorNode):
        return 0
    inner = [worker.node for worker in node.workers.values()]
    inner += [part for part in (node.synthesis, node.review) if part]
    return 1 + max(map(_depth, inner))


def _check_arguments(node: CallNode, tool: Tool, offered: tuple[str, ...]) -> None:
    where = f"the call {node.name!r}"
    references = {name: reference for name, value in node.arguments.items() if (reference := reference_of(value))}
    for reference in references.values():
        if reference not in offered:
            raise ConfigurationInvalid(
                f"{where} names ${reference}, which its place in the tree does not offer",
                fix=nearest(reference, sorted(offered)),
            )
    try:
        tool.arguments.model_validate_json(json.dumps({**node.arguments, **dict.fromkeys(references)}))
    except ValidationError as error:
        # A reference may stand for anything, the goal for a text. A wrong name says more than what it leaves missing.
        found = [e for e in error.errors(include_url=False) if not e["loc"] or e["loc"][0] not in references]
        if found:
            raise _explain(node, min(found, key=lambda e: e["type"] != "extra_forbidden"), tool) from error


def _explain(node: CallNode, error: ErrorDetails, tool: Tool) -> ConfigurationInvalid:
    at, known = ".".join(map(str, error["loc"])) or "arguments", sorted(tool.arguments.model_fields)
    said = {"extra_forbidden": "is no argument of it", "missing": "is missing"}.get(error["type"], error["msg"])
    return ConfigurationInvalid(
        f"the arguments of the call {node.name!r} do not fit the tool {node.tool!r}: {at}: {said}",
        fix=nearest(at, known) if error["type"] == "extra_forbidden" else f"its arguments are: {', '.join(known)}",
    )
