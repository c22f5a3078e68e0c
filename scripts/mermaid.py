"""A team's tree as a Mermaid flowchart: patterns are boxes around what is in them, arrows are the way of the work."""

from collections.abc import Iterator

from workflows.planning.graph import outputs_of
from workflows.teams.routes import owners
from workflows.teams.tree import (
    AgentNode,
    CallNode,
    ConstantFallback,
    NetworkNode,
    Node,
    PersonNode,
    PlanNode,
    SupervisorNode,
    TeamSpec,
    WorkflowNode,
    inner_nodes,
    node_name,
)


def flowchart(team: TeamSpec) -> str:
    """The chart, one statement a line. Names are letters, digits, ``_`` and ``-``: nothing in them is Mermaid's."""
    return "\n".join(("flowchart TD", *_Chart(team).lines(team.root, "n", 1)))


class _Chart:
    def __init__(self, team: TeamSpec) -> None:
        self._team = team

    def lines(self, node: Node, name: str, depth: int) -> Iterator[str]:
        """A node and all below it; ``name`` is its id in the chart."""
        indent = "  " * depth
        inner = {where: part for where, part in inner_nodes(node) if where != "fallback"}
        if inner:
            yield f'{indent}subgraph {name}["{_label(node)}"]'
            for index, part in enumerate(inner.values()):
                yield from self.lines(part, f"{name}_{index}", depth + 1)
            yield from (f"{indent}  {arrow}" for arrow in _arrows(node, name, list(inner)))
            yield f"{indent}end"
        else:
            left, right = ("([", "])") if isinstance(node, PersonNode) else ("[", "]")
            yield f'{indent}{name}{left}"{_label(node)}"{right}'
        yield from self._beside(node, name, depth)

    def _beside(self, node: Node, name: str, depth: int) -> Iterator[str]:
        """What stands in for a node, and whom it may be transferred to."""
        indent = "  " * depth
        for where, other in inner_nodes(node):
            if where == "fallback":
                yield from self.lines(other, f"{name}_f", depth)
                yield f"{indent}{name} -. fails .-> {name}_f"
        if node.fallback and node.fallback.kind in {"constant", "skip"}:
            what = "a constant" if isinstance(node.fallback, ConstantFallback) else "left out"
            yield f'{indent}{name} -. fails .-> {name}_f["{what}"]'
        others = owners(self._team, node.agent)[1:] if isinstance(node, AgentNode) else ()
        for index, other_agent in enumerate(others):
            yield f'{indent}{name} -. transfers .-> {name}_t{index}["agent {other_agent}"]'


def _arrows(node: Node, name: str, places: list[str]) -> Iterator[str]:
    ids = {where: f"{name}_{index}" for index, where in enumerate(places)}
    if isinstance(node, SupervisorNode):
        yield from _in_supervisor(node, ids)
    elif isinstance(node, PlanNode) and node.tasks:
        yield from _in_plan(node, name, ids)
    elif isinstance(node, NetworkNode):
        yield from _in_network(node, name, ids)
    else:
        for part in node.parts():
            yield from (f"{ids[before]} --> {ids[part.place]}" for before in part.before if before in ids)
    if "escalate" in ids:
        yield from (f"{ids[part.place]} -. given up .-> {ids['escalate']}" for part in node.parts())


def _in_plan(node: PlanNode, name: str, ids: dict[str, str]) -> Iterator[str]:
    """A graph that the team lays out: its tasks, who does them, and what comes after what."""
    tasks = {task.task_id: f"{name}_k{index}" for index, task in enumerate(node.tasks)}
    for task in node.tasks:
        at = tasks[task.task_id]
        yield f'{at}("{task.task_id}")'
        yield from (f"{tasks[before]} --> {at}" for before in dict.fromkeys(task.after) if before in tasks)
        for executor, arrow in ((task.executor, "-.-"), (task.fallback, "-. fails .-")):
            if executor in node.executors:
                yield f"{at} {arrow} {ids[f'executors.{executor}.node']}"
        if task.success and "checker" in ids:
            yield f"{at} -. success .- {ids['checker']}"
    if "synthesis" in ids:
        yield from (f"{tasks[output]} --> {ids['synthesis']}" for output in outputs_of(node.tasks, node.outputs))


def _in_network(node: NetworkNode, name: str, ids: dict[str, str]) -> Iterator[str]:
    """What peers listen to, and whom they ask. What they send is known when it is sent."""
    topics = list(dict.fromkeys(topic for peer in node.peers.values() for topic in peer.subscribes))
    for index, topic in enumerate(topics):
        yield f'{name}_e{index}(["{topic}"])'
    for peer, spec in node.peers.items():
        at, group = ids[f"peers.{peer}.node"], f"one of {spec.group}" if spec.group else ""
        arrow = f"-- {group} -->" if group else "-->"
        yield from (f"{name}_e{topics.index(topic)} {arrow} {at}" for topic in dict.fromkeys(spec.subscribes))
        yield from (f"{at} -. asks .-> {ids[f'peers.{other}.node']}" for other in spec.asks if other in node.peers)
        if "result" in ids:
            yield f"{at} --> {ids['result']}"


def _in_supervisor(node: SupervisorNode, ids: dict[str, str]) -> Iterator[str]:
    workers = [(worker, ids[f"workers.{worker}.node"]) for worker in node.workers]
    first, last = ids.get("planner") or ids.get("split"), ids.get("synthesis")
    for worker, at in workers:
        if first:
            yield f"{first} -- {worker} --> {at}"
        if last:
            yield f"{at} --> {last}"
        for other in node.workers[worker].reroute:
            if f"workers.{other}.node" in ids and other != worker:
                yield f"{at} -. re-routed .-> {ids[f'workers.{other}.node']}"
    if last and "gate" in ids:
        if "review" in ids:
            yield f"{last} --> {ids['review']}"
        yield f"{ids.get('review', last)} --> {ids['gate']}"
        if node.corrections:
            yield f"{ids['gate']} -. correction .-> {last}"


def _label(node: Node) -> str:
    tier = f" on {node.tier}" if isinstance(node, AgentNode) and node.tier else ""
    tool = f": {node.tool}" if isinstance(node, CallNode) else ""
    own = f": {node.workflow}" if isinstance(node, WorkflowNode) else ""
    return f"{node.kind} {node_name(node)}{tier}{tool}{own}"
