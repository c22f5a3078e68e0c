"""What a node may use at most, and what a run that ends well has to have at least. Pure functions of a run's input.

The worst case follows every path there is: each attempt, re-route, correction, round, transfer and fallback, whatever a
model answers. It rests on the accounts of ``workflows.budget``, which are hard: no agent's step uses more than its
``AgentLimits``, and nothing below a node more than its ``budget``. Tokens hold as exactly as prompts are estimated.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce

from activities.contracts.budgets import COUNTED, Amounts
from activities.contracts.messages import MAX_TOOL_CALLS
from activities.contracts.similarity import MAX_SAMPLE_BYTES, tokens_of
from workflows.contracts import ModelRoute, NodePlan
from workflows.policies import ATTEMPTS_BEFORE_FALLBACK, EMBED_ATTEMPTS, MODEL_ATTEMPTS, TOOL_ATTEMPTS
from workflows.teams.kinds.supervisor import tries
from workflows.teams.platform import own_tools
from workflows.teams.reviews import most_reviews
from workflows.teams.routes import owners, stand_in
from workflows.teams.tree import (
    AgentNode,
    CallNode,
    ConstantFallback,
    HierarchyNode,
    MonitorNode,
    Node,
    Part,
    PatternBase,
    PersonNode,
    SkipFallback,
    SupervisorNode,
    TeamSpec,
    plan_name,
)

Plans = Mapping[str, NodePlan]

CALLS_A_TURN = 2
"""The answer, and a summary of the window before it."""
NOTHING = Amounts()


def worst_case(team: TeamSpec, plans: Plans, node: Node) -> Amounts:
    """What a node and everything below it may use at most, its fallback included."""
    total = _own(team, plans, node)
    if other := stand_in(node):
        total += worst_case(team, plans, other)
    if node.budget and node.budget.on_breach != "ask":  # a person may allow more
        return Amounts(**{name: least(getattr(total, name), getattr(node.budget, name)) for name in COUNTED})
    return total


def least(amount: float, bound: float | None) -> float:
    """The amount, or its bound where that is smaller."""
    return amount if bound is None else min(amount, bound)


def _own(team: TeamSpec, plans: Plans, node: Node) -> Amounts:
    match node:
        case AgentNode():
            return _agents(team, plans, node)
        case CallNode():
            return Amounts(tool_calls=TOOL_ATTEMPTS)
        case PersonNode():
            return NOTHING
        case SupervisorNode():
            return _supervisor(team, plans, node)
        case HierarchyNode():
            return _supervisor(team, plans, node.top)
        case MonitorNode():
            return _monitor(team, plans, node)
        case PatternBase():
            parts = _sum(_most(_each(team, plans, part) for part in group) for group in _groups(node))
            return parts + _comparisons(node)


def _comparisons(node: PatternBase) -> Amounts:
    """What the pattern asks an embedding model. Its price is not known here; it is the smallest of all by far."""
    comparisons = node.comparisons()
    if comparisons is None:
        return NOTHING
    tokens = comparisons.texts * tokens_of(("x" * MAX_SAMPLE_BYTES,))
    return Amounts(tokens=tokens, model_calls=1).times(comparisons.times * EMBED_ATTEMPTS)


def _groups(node: PatternBase) -> list[list[Part]]:
    """Its parts: each on its own, or with its alternatives."""
    found: dict[str, list[Part]] = {}
    for part in node.parts():
        found.setdefault(part.group or f" {part.place}", []).append(part)
    return list(found.values())


def _each(team: TeamSpec, plans: Plans, part: Part) -> Amounts:
    return worst_case(team, plans, part.node).times(part.most)


def _monitor(team: TeamSpec, plans: Plans, node: MonitorNode) -> Amounts:
    """The node, and every judge as often as there are actions for it."""
    judged = [
        _agent(team, judge.judge, routes_of(plans, judge.judge)).times(most_reviews(team, node, judge))
        for judge in node.judges
    ]
    return worst_case(team, plans, node.node) + _sum(judged)


def _agents(team: TeamSpec, plans: Plans, node: AgentNode) -> Amounts:
    """A step of an agent. It may be transferred to others, to each once."""
    _, *others = owners(team, node.agent)
    first = _agent(team, node.agent, routes_of(plans, plan_name(node)))
    return first + _sum(_agent(team, name, routes_of(plans, name)) for name in others)


def _agent(team: TeamSpec, name: str, routes: tuple[ModelRoute, ...]) -> Amounts:
    spec = team.agents[name]
    limits = spec.limits
    # Each call may take all attempts of its model; models that cannot answer take theirs once in the whole step.
    calls = CALLS_A_TURN * MODEL_ATTEMPTS * limits.turns + ATTEMPTS_BEFORE_FALLBACK * max(0, len(routes) - 1)
    # None is offered on the last turn. A model may name tools that there are not; checks are no calls of its own.
    tools = TOOL_ATTEMPTS * MAX_TOOL_CALLS * (limits.turns - 1) if own_tools(spec) else 0
    dearest = max((max(route.input_usd_per_million, route.output_usd_per_million) for route in routes), default=None)
    return Amounts(
        tokens=limits.tokens,
        cost_usd=least(limits.cost_usd, None if dearest is None else limits.tokens * dearest / 1_000_000),
        model_calls=min(limits.model_calls, calls),
        tool_calls=min(limits.tool_calls, tools),
    )


def routes_of(plans: Plans, name: str) -> tuple[ModelRoute, ...]:
    """The models that were resolved under a plan's name; none where it was not resolved."""
    return plans[name].models if name in plans else ()


def _supervisor(team: TeamSpec, plans: Plans, node: SupervisorNode) -> Amounts:
    """Each subtask is tried by its own type and by those that it is re-routed to: no plain alternatives."""
    workers = {name: worst_case(team, plans, worker.node) for name, worker in node.workers.items()}

    def subtask(worker_type: str, attempts: int | None = None) -> Amounts:
        return _sum(workers[other].times(count) for other, count in tries(node, worker_type, attempts).items())

    if node.subtasks:
        work = _sum(subtask(spec.type, spec.attempts) for spec in node.subtasks if spec.type in workers)
    else:
        work = _most(subtask(worker_type) for worker_type in node.workers).times(node.max_subtasks)
    return work + _sum(_each(team, plans, part) for part in node.parts() if not part.group)


def _sum(amounts: Iterable[Amounts]) -> Amounts:
    return reduce(Amounts.__add__, amounts, NOTHING)


def _most(amounts: Iterable[Amounts]) -> Amounts:
    """The largest of each."""
    found = list(amounts)
    return Amounts(**{name: max((getattr(one, name) for one in found), default=0) for name in COUNTED})


def _least(amounts: Iterable[Amounts]) -> Amounts:
    """The smallest of each."""
    found = list(amounts)
    return Amounts(**{name: min((getattr(one, name) for one in found), default=0) for name in COUNTED})


@dataclass(frozen=True)
class _Path:
    """One way through a node that ends well."""

    used: Amounts = NOTHING
    """What it has used for certain when it is through: every prompt counts, an answer may be short."""
    peak: Amounts = NOTHING
    """What has to be there for its dearest reservation, with all that was used before."""

    def then(self, other: "_Path") -> "_Path":
        return _Path(self.used + other.used, _most([self.peak, self.used + other.peak]))


def cheapest(team: TeamSpec, plans: Plans, node: Node) -> Amounts:
    """The least that a run through this node must be able to reserve: below it no run ends well.

    One model call a step of an agent, on the cheapest path. A call is reserved at its whole prompt and the longest answer;
    once it is made, only its prompt is known to be used. What may fail or be left out costs nothing here.
    """
    return _path(team, plans, node).peak


def _path(team: TeamSpec, plans: Plans, node: Node) -> _Path:
    if not node.critical or isinstance(node.fallback, ConstantFallback | SkipFallback):
        return _Path()
    own, other = _own_path(team, plans, node), stand_in(node)
    return _cheaper([own, _path(team, plans, other)]) if other else own


def _own_path(team: TeamSpec, plans: Plans, node: Node) -> _Path:
    match node:
        case AgentNode():
            return _call(team, plans, node)
        case CallNode():
            return _Path(Amounts(tool_calls=1), Amounts(tool_calls=1))
        case PatternBase():
            return reduce(_Path.then, (_through(team, plans, group) for group in _groups(node)), _Path())
        case PersonNode():
            return _Path()


def _through(team: TeamSpec, plans: Plans, group: Sequence[Part]) -> _Path:
    """One part of a pattern, or the cheapest of its alternatives, as often as it has to be run."""
    once = _cheaper(_path(team, plans, part.node) for part in group)
    return reduce(_Path.then, [once] * min(part.least for part in group), _Path())


def _call(team: TeamSpec, plans: Plans, node: AgentNode) -> _Path:
    """An agent's first call: on the first model of its chain, whatever comes after it."""
    name = plan_name(node)
    prompt = plans[name].prompt_tokens if name in plans else 0
    answer, routes = team.agents[node.agent].limits.output_tokens, routes_of(plans, name)
    if not routes:
        return _Path(Amounts(tokens=prompt, model_calls=1), Amounts(tokens=prompt + answer, model_calls=1))
    first = routes[0]
    cost = (prompt * first.input_usd_per_million + answer * first.output_usd_per_million) / 1_000_000
    used = prompt * min(route.input_usd_per_million for route in routes) / 1_000_000
    return _Path(
        Amounts(tokens=prompt, cost_usd=used, model_calls=1),
        Amounts(tokens=prompt + answer, cost_usd=cost, model_calls=1),
    )


def _cheaper(paths: Iterable[_Path]) -> _Path:
    """No path takes less than this; the least of each."""
    found = list(paths)
    return _Path(_least(path.used for path in found), _least(path.peak for path in found))
