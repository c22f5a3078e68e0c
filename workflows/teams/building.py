"""Teams in Python: the same models as a team file makes, checked as strictly.

::

    facts = agent("researcher", key="facts")
    root = facts >> agent("writer", needs=("facts",)) >> call("write_artifact", {"name": "a.md", "text": "$input"})
    spec = team("report", root, agents={"researcher": {...}, "writer": {...}})

``a >> b >> c`` is one pipeline of three stages. A pipeline that says anything of its own (a name, a time, a fallback) is
one stage of another and stays whole.
"""

from collections.abc import Mapping, Sequence
from typing import Any, TypedDict, TypeVar, Unpack

from pydantic import BaseModel, JsonValue, ValidationError

from activities.contracts.people import Asking, Choice
from activities.errors import ConfigurationInvalid
from workflows.teams.agents import AgentSpec
from workflows.teams.budget_spec import BudgetSpec
from workflows.teams.problems import problems_of
from workflows.teams.tree import (
    AgentNode,
    CallNode,
    ConstantFallback,
    DebateNode,
    Fallback,
    FanOutNode,
    HierarchyNode,
    MonitorNode,
    NetworkNode,
    Node,
    NodeBase,
    PersonNode,
    PipelineNode,
    PlanNode,
    RefineNode,
    RouterNode,
    SkipFallback,
    SupervisorNode,
    TeamSpec,
    TierFallback,
    WorkerSpec,
    WorkflowNode,
    inner_nodes,
)

MAX_TREE_DEPTH = 16
"""Nodes above each other: as many owners as a handoff's path names."""

_Model = TypeVar("_Model", bound=BaseModel)


class Place(TypedDict, total=False):
    """What every node may say of its place in the tree; ``workflows.teams.tree.NodeBase`` says what each means."""

    key: str
    input: Mapping[str, JsonValue]
    needs: tuple[str, ...]
    context: str
    timeout_seconds: float
    budget: BudgetSpec | Mapping[str, Any]
    grants: Mapping[str, Any]
    constraints: tuple[str, ...]
    critical: bool
    fallback: "Fallback | Mapping[str, Any]"


def agent(name: str, **place: Unpack[Place]) -> AgentNode:
    """A step of an agent of the team."""
    return _made(AgentNode, {"agent": name, **place})


def call(
    tool: str, arguments: Mapping[str, JsonValue] | None = None, *, name: str = "", **place: Unpack[Place]
) -> CallNode:
    """A step of a tool; named like the tool where no ``name`` is given."""
    return _made(CallNode, {"tool": tool, "arguments": dict(arguments or {}), "name": name or tool, **place})


def person(
    question: str = "",
    *,
    name: str = "person",
    choices: tuple[str, ...] = (Choice.ANSWER,),
    answer: Mapping[str, JsonValue] | None = None,
    asking: Asking | Mapping[str, Any] | None = None,
    **place: Unpack[Place],
) -> PersonNode:
    """A step of a person."""
    fields = {"question": question, "name": name, "choices": choices, "answer": answer, "asking": asking}
    return _made(PersonNode, {**fields, **place})


def pipeline(
    *stages: Node, name: str = "pipeline", seconds: float | None = None, **place: Unpack[Place]
) -> PipelineNode:
    """Stages in order. A pipeline among them stays one stage."""
    return _made(PipelineNode, {"stages": stages, "name": name, **_given(seconds=seconds), **place})


def supervisor(
    name: str, workers: Mapping[str, Node | WorkerSpec | Mapping[str, Any]], **fields: Any
) -> SupervisorNode:
    """A supervisor and its workers by type: a node, or a ``WorkerSpec`` where there is more to say of one."""
    types = {kind: _worker(given) for kind, given in workers.items()}
    return _made(SupervisorNode, {"name": name, "workers": types, **fields})


def own(
    workflow: str, nodes: Mapping[str, Node] | None = None, *, name: str = "workflow", **fields: Any
) -> WorkflowNode:
    """A workflow of one's own and the nodes that it may run."""
    return _made(WorkflowNode, {"workflow": workflow, "nodes": dict(nodes or {}), "name": name, **fields})


def fan_out(
    branches: Mapping[str, Node] | None = None, *, name: str = "fan_out", each: Node | None = None, **fields: Any
) -> FanOutNode:
    """Branches side by side: named ones, or ``each`` for every item of a list."""
    return _made(FanOutNode, {"name": name, "branches": dict(branches or {}), "each": each, **fields})


def hierarchy(
    name: str,
    tiers: Sequence[Mapping[str, Any]],
    workers: Mapping[str, Node | WorkerSpec | Mapping[str, Any]],
    **fields: Any,
) -> HierarchyNode:
    """Tiers of managers, the top first, and the workers below them."""
    types = {kind: _worker(given) for kind, given in workers.items()}
    return _made(HierarchyNode, {"name": name, "tiers": list(tiers), "workers": types, **fields})


def router(name: str, routes: Mapping[str, Node], **fields: Any) -> RouterNode:
    """One of these destinations, by label. A ``Route`` or its fields where there is more to say of one."""
    return _made(
        RouterNode, {"name": name, "routes": {label: _wrapped(node) for label, node in routes.items()}, **fields}
    )


def debate(name: str, debaters: Mapping[str, Node], **fields: Any) -> DebateNode:
    """Debaters by name."""
    return _made(DebateNode, {"name": name, "debaters": dict(debaters), **fields})


def refine(name: str, writer: Node, editor: Node, **fields: Any) -> RefineNode:
    """A writer and an editor."""
    return _made(RefineNode, {"name": name, "writer": writer, "editor": editor, **fields})


def plan(name: str, executors: Mapping[str, Node], **fields: Any) -> PlanNode:
    """Executors by name; ``tasks`` or a ``planner`` besides."""
    made = {executor: _wrapped(node) for executor, node in executors.items()}
    return _made(PlanNode, {"name": name, "executors": made, **fields})


def network(name: str, peers: Mapping[str, Mapping[str, Any]], **fields: Any) -> NetworkNode:
    """Peers by name, each with its ``node`` and what it ``subscribes`` to."""
    return _made(NetworkNode, {"name": name, "peers": dict(peers), **fields})


def monitor(
    name: str,
    node: Node,
    *,
    rules: Sequence[Mapping[str, Any]] = (),
    judges: Sequence[Mapping[str, Any]] = (),
    **fields: Any,
) -> MonitorNode:
    """A node whose actions are reviewed by rules and judges before they happen."""
    return _made(MonitorNode, {"name": name, "node": node, "rules": list(rules), "judges": list(judges), **fields})


def constant(value: JsonValue) -> ConstantFallback:
    """A fallback: a fixed output."""
    return ConstantFallback(value=value)


def skip() -> SkipFallback:
    """A fallback: nothing; the result names what is missing."""
    return SkipFallback()


def tier(name: str) -> TierFallback:
    """A fallback: the same agent on another tier."""
    return _made(TierFallback, {"tier": name})


def team(name: str, root: Node, *, agents: Mapping[str, AgentSpec | Mapping[str, Any]], **fields: Any) -> TeamSpec:
    """The whole: what ``load_team`` reads from a file.

    Raises:
        ConfigurationInvalid: a field that is not known or not valid, or a tree that is too deep.
    """
    level, depth = [root], 0
    while level:
        depth += 1
        if depth > MAX_TREE_DEPTH:
            raise ConfigurationInvalid(
                f"the tree of the team {name!r} is deeper than {MAX_TREE_DEPTH} nodes", fix="flatten it"
            )
        level = [inner for node in level for _, inner in inner_nodes(node)]
    return _made(TeamSpec, {"team": name, "root": root, "agents": dict(agents), **fields})


def _worker(given: Node | WorkerSpec | Mapping[str, Any]) -> WorkerSpec | Mapping[str, Any]:
    return given if isinstance(given, WorkerSpec | Mapping) else WorkerSpec(node=given)


def _wrapped(given: Any) -> Any:
    return {"node": given} if isinstance(given, NodeBase) else given


def _given(**fields: Any) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}


def _made(model: type[_Model], fields: Mapping[str, Any]) -> _Model:
    """A model of these fields; a keyword that is not known is refused as in a file."""
    try:
        return model.model_validate(dict(fields), extra="forbid")
    except ValidationError as error:
        at, message, fix = problems_of(model, error)[0]
        raise ConfigurationInvalid(f"{'.'.join(at) or model.__name__}: {message}", fix=fix) from error
