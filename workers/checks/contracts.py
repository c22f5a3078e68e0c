"""Contracts from producer to consumer: what a stage is given can be what its ``input`` says, and what it needs is there."""

import re
import typing
from collections.abc import Iterator
from functools import cache

from pydantic import JsonValue, PydanticSchemaGenerationError, PydanticUserError, TypeAdapter

from activities.contracts.base import Schema
from activities.contracts.people import Choice
from activities.errors import ConfigurationInvalid
from activities.input_contracts import check_input_schema
from activities.outputs import check_schema, schema_validator
from activities.tools.base import Tool
from workers.checks.findings import At, Finding, Findings, Place, TeamView, Weight
from workers.checks.fit import misfit, undeclared
from workers.checks.names import not_known
from workflows.teams.kinds.debate import outcome
from workflows.teams.tree import (
    AgentNode,
    CallNode,
    ConstantFallback,
    DebateNode,
    FanOutNode,
    HierarchyNode,
    MonitorNode,
    Node,
    NodeBase,
    PersonNode,
    PipelineNode,
    PlanNode,
    RefineNode,
    RouterNode,
    SupervisorNode,
    node_key,
    node_name,
)

_OF_SUPERVISORS = re.compile(r"(plan|split|synthesis|review|gate|s\d+)-\d+")
"""Keys that a supervisor commits its steps under."""
_RESULTS: Schema = {
    "type": "array",
    "items": {"type": "object", "required": ["subtask_id", "type", "task", "status", "input"]},
}


def contracts(view: TeamView) -> Findings:
    """Schemas that are none, stages that cannot get what they want, and keys that nobody commits."""
    sound = True
    for at, who, schema in _schemas(view):
        try:
            check_input_schema(schema, who) if at[-1] == "input" else check_schema(schema)
        except ConfigurationInvalid as error:
            sound = False
            yield Finding(at, str(error) if at[-1] == "input" else f"the {at[-1]} of {who}: {error}", error.fix)
    for place in view.places:
        match place.node:
            case PipelineNode() if sound:
                yield from _stages(view, place, place.node)
            case SupervisorNode() if sound:
                yield from _subtasks(place, place.node)
    yield from _needs(view)


def _schemas(view: TeamView) -> Iterator[tuple[At, str, Schema]]:
    for name, agent in view.team.agents.items():
        if agent.output:
            yield ("agents", name, "output", "schema"), f"the agent {name!r}", agent.output.schema_
    for place in view.places:
        if place.node.input is not None:
            yield (*place.at, "input"), f"the node {node_name(place.node)!r}", place.node.input
        if isinstance(place.node, PersonNode) and place.node.answer is not None:
            yield (*place.at, "answer"), f"the person {place.node.name!r}", place.node.answer
        if isinstance(place.node, FanOutNode) and place.node.answer is not None:
            yield (*place.at, "answer"), f"the fan-out {place.node.name!r}", place.node.answer


def _stages(view: TeamView, place: Place, node: PipelineNode) -> Findings:
    given: list[tuple[str, Schema]] = [] if node.input is None else [("what the pipeline is given", node.input)]
    for index, stage in enumerate(node.stages):
        at = (*place.at, "stages", str(index), "input")
        wanted = _wanted(stage)
        for who, schema in given if wanted is not None else ():
            yield from _fits(at, f"the stage {node_key(stage)!r}", who, schema, wanted or {})
        given = list(_made(view, stage, f"the stage {node_key(stage)!r}", given))


def _fits(at: At, consumer: str, producer: str, made: Schema, wanted: Schema) -> Findings:
    fix = "change the input of the one or the output of the other"
    if why := misfit(made, wanted):
        yield Finding(at, f"what {producer} makes can never be what {consumer} takes: {why}", fix)
    elif names := undeclared(made, wanted):
        message = f"{consumer} requires {', '.join(map(repr, names))}, of which the output contract of {producer} says nothing"
        yield Finding(at, message, "declare it there", Weight.WARNING)


def _wanted(node: Node) -> Schema | None:
    """What a node takes: its own contract, or that of the stage that gets it first."""
    if node.input is not None or not isinstance(node, PipelineNode | MonitorNode):
        return node.input
    return _wanted(node.node if isinstance(node, MonitorNode) else node.stages[0])


def _made(view: TeamView, node: Node, who: str, given: list[tuple[str, Schema]]) -> Iterator[tuple[str, Schema]]:
    """What may come out of a node, as far as it is known: its own output, and what stands in for it."""
    yield from _own(view, node, who, given)
    if isinstance(node.fallback, ConstantFallback) and node.fallback.value is not None:
        yield f"the constant that stands in for {who}", {"const": node.fallback.value}
    elif isinstance(node.fallback, NodeBase):
        yield from _made(view, node.fallback, f"the fallback of {who}", given)


def _own(view: TeamView, node: Node, who: str, given: list[tuple[str, Schema]]) -> Iterator[tuple[str, Schema]]:
    match node:
        case AgentNode() if node.agent in view.team.agents and not getattr(
            view.team.agents[node.agent], "transfers_to", ()
        ):
            output = view.team.agents[node.agent].output
            yield who, {"type": "string"} if output is None else output.schema_
        case CallNode() if node.tool in view.tools and (schema := returned(view.tools[node.tool])):
            yield who, schema
        case PersonNode() if set(node.choices) <= {Choice.ANSWER, Choice.REJECT} and node.answer is not None:
            yield who, node.answer
        case PersonNode() if set(node.choices) <= {Choice.APPROVE, Choice.REJECT}:
            yield from given
        case PipelineNode() | RefineNode():
            last = node.stages[-1] if isinstance(node, PipelineNode) else node.writer
            yield from _made(view, last, who, [])
        case MonitorNode() if not any(rule.replace for rule in node.rules):  # that may be of any form
            yield from _made(view, node.node, who, given)
        case FanOutNode():
            yield from _made(view, node.reducer, who, []) if node.reducer else _reduced(node, who)
        case RouterNode() | PlanNode() | DebateNode():
            yield from _of_many(view, node, who, given)
        case HierarchyNode() | SupervisorNode(gate=None):
            whole = node.tiers[0].summary if isinstance(node, HierarchyNode) else node.synthesis
            yield from _made(view, whole, who, []) if whole else [(who, _RESULTS)]


def _of_many(
    view: TeamView, node: RouterNode | PlanNode | DebateNode, who: str, given: list[tuple[str, Schema]]
) -> Iterator[tuple[str, Schema]]:
    if isinstance(node, RouterNode):
        for label, route in node.routes.items():
            yield from _made(view, route.node, f"the destination {label!r} of {who}", given)
    elif isinstance(node, DebateNode):
        yield who, outcome()
    elif node.synthesis:
        yield from _made(view, node.synthesis, who, [])
    else:
        yield who, {"type": "object"}


def _reduced(node: FanOutNode, who: str) -> Iterator[tuple[str, Schema]]:
    match node.reduce:
        case "vote":
            yield who, {"type": "object"}
        case "rank":
            yield who, {"type": "array", "items": {"type": "object", "required": ["branch", "score", "output"]}}
        case "collect":
            yield who, {"type": "array" if node.each else "object"}


@cache
def _hint(function: object) -> Schema | None:
    hint = typing.get_type_hints(function, include_extras=True).get("return")
    if hint in (None, str, bytes, object) or hint is typing.Any:
        return None  # a text is read as JSON where it is JSON
    try:
        return TypeAdapter(hint).json_schema(mode="serialization")
    except (PydanticUserError, PydanticSchemaGenerationError):
        return None


def returned(tool: Tool) -> Schema | None:
    """What a tool returns, by its annotation; nothing where that says nothing."""
    schema = _hint(tool.function)
    return None if schema is None or "string" in str(schema.get("type")) or not schema.get("type") else schema


def _subtasks(place: Place, node: SupervisorNode) -> Findings:
    """The input of subtasks that the team lays out is known."""
    for index, spec in enumerate(node.subtasks):
        worker = node.workers.get(spec.type)
        wanted = _wanted(worker.node) if worker else None
        if spec.input is None or wanted is None:
            continue
        if why := next(iter(_problems(spec.input, wanted)), ""):
            yield Finding(
                (*place.at, "subtasks", str(index), "input"),
                f"the input of the subtask {index + 1} is not what the worker type {spec.type!r} takes: {why}",
                "correct the input, or the worker's contract",
            )


def _problems(value: JsonValue, schema: Schema) -> Iterator[str]:
    for error in schema_validator(schema).iter_errors(value):
        yield f"{error.json_path}: {error.message[:200]}"


def _needs(view: TeamView) -> Findings:
    """Keys that nobody commits before."""
    for place in view.places:
        if not place.node.needs:
            continue
        known, supervised, is_open = committed(place)
        for index, key in enumerate(place.node.needs):
            if key in known or is_open or (supervised and _OF_SUPERVISORS.fullmatch(key)):
                continue
            yield Finding(
                (*place.at, "needs", str(index)),
                f"{place.label} needs {key!r}, which nothing before it commits",
                not_known(key, known) if known else "name keys of stages that come before it",
            )


def committed(place: Place) -> tuple[list[str], bool, bool]:
    """Keys of the stages before a node, and before what it is nested in.

    With them whether it is in a supervisor, and whether in a workflow of one's own, which commits what it likes.
    """
    keys: list[str] = []
    supervised = is_open = False
    inner = place
    for above in place.chain:
        if isinstance(above.node, PipelineNode) and inner.role == "stages":
            keys += [node_key(stage) for stage in above.node.stages[: int(inner.at[-1])]]
        if inner.part:
            keys += [part.key for part in above.node.parts() if part.key and part.place in inner.part.before]
        if isinstance(above.node, PlanNode) and inner.role != "planner":
            keys += [task.task_id for task in above.node.tasks]
            is_open = is_open or above.node.planner is not None
        supervised = supervised or isinstance(above.node, SupervisorNode | HierarchyNode)
        is_open = is_open or inner.role == "nodes"
        inner = above
    return keys, supervised, is_open
