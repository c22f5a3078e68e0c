"""Budgets and bounds: none is below what a run that ends well needs, and where the worst case is above one, it says so."""

from activities.contracts.budgets import COUNTED, Amounts, Budget
from workers.checks.findings import At, Finding, Findings, Place, TeamView, Weight
from workflows.teams.bounds import longest_seconds, once_tools, over_seconds
from workflows.teams.tree import AgentNode, Node, PatternBase, PersonNode, walk
from workflows.teams.worst_case import cheapest, worst_case

_UNITS = {"tokens": "tokens", "cost_usd": "USD", "model_calls": "model calls", "tool_calls": "tool calls"}


def budgets(view: TeamView) -> Findings:
    """Budgets below the cheapest path, worst cases above a budget, and bounds that do not bound."""
    for name, agent in view.team.agents.items():
        limits = agent.limits
        own = Budget(tokens=limits.tokens, cost_usd=limits.cost_usd, model_calls=limits.model_calls)
        first = cheapest(view.team, view.plans, AgentNode(agent=name))
        yield from _short(("agents", name, "limits"), f"the limits of the agent {name!r}", own, first, "its first call")
    for place in view.places:
        budget, bare = (
            place.node.budget,
            place.node.model_copy(update={"budget": None, "fallback": None, "critical": True}),
        )
        if budget is None:
            continue
        at: At = (*place.at, "budget")
        who = f"the budget of {place.label}"
        short = list(_short(at, who, budget, cheapest(view.team, view.plans, bare), "its cheapest path"))
        if budget.on_breach == "fail" and short:
            yield from short
            continue
        worst = worst_case(view.team, view.plans, bare)
        over = [name for name in COUNTED if _less(getattr(budget, name), getattr(worst, name))]
        for name in over:
            yield Finding(
                (*at, name),
                f"the worst case of {place.label} is {_amount(worst, name)}, more than its budget of"
                f" {_amount(budget, name)}: at the budget it ends",
                "raise the budget, or lower the limits of what is below it, if that is not wanted",
                Weight.WARNING,
            )
        yield from _unpriced(view, place, budget)
    for place in view.places:
        yield from _waits(view, place)
        yield from _ends(view, place)


def _short(at: At, who: str, budget: Budget, need: Amounts, what: str) -> Findings:
    for name in COUNTED:
        if _less(getattr(budget, name), getattr(need, name)):
            yield Finding(
                (*at, name),
                f"{who} {'allow' if at[0] == 'agents' else 'allows'} {_amount(budget, name)}, and {what} needs {_amount(need, name)}",
                f"raise {name} to at least {_figure(getattr(need, name))}",
                Weight.ERROR,
            )


def _unpriced(view: TeamView, place: Place, budget: Budget) -> Findings:
    """A bound in USD that sees nothing."""
    if budget.cost_usd is None or budget.tokens is not None or budget.model_calls is not None:
        return
    for node in walk(place.node):
        routes = view.plans[node.agent].models if isinstance(node, AgentNode) and node.agent in view.plans else ()
        for route in routes:
            is_free = not route.input_usd_per_million and not route.output_usd_per_million
            if is_free and not route.model.startswith("offline:"):
                yield Finding(
                    (*place.at, "budget", "cost_usd"),
                    f"the budget of {place.label} bounds USD alone, and the model {route.model!r} below it has no price:"
                    " nothing bounds it",
                    "give tokens or model_calls too, or a price in settings.toml",
                    Weight.ERROR,
                )
                return


def _ends(view: TeamView, place: Place) -> Findings:
    """A node that may take longer than it is given."""
    node = place.node
    once, budget = once_tools(view.plans), node.budget
    bounds: list[tuple[At, float | None, Node]] = [
        (
            ("timeout_seconds",),
            node.timeout_seconds,
            node.model_copy(update={"timeout_seconds": None, "fallback": None}),
        ),
        (("budget", "seconds"), budget.seconds if budget else None, node),
    ]
    for field, bound, own in bounds:
        bare = own.model_copy(update={"budget": None})
        if bound is None or not _less(bound, seconds := longest_seconds(view.team, bare, view.tool_seconds, once)):
            continue
        over = over_seconds(view.team, node, view.tool_seconds, once)
        later = f", or up to {over:g} s later where a tool that is called at most once is under way" if over else ""
        yield Finding(
            (*place.at, *field),
            f"{place.label} takes {seconds:g} s at most, more than its {'.'.join(field)} of {bound:g}: it ends then{later}",
            f"raise {field[-1]}, or lower the seconds of what is below it, if that is not wanted",
            Weight.WARNING,
        )


def _waits(view: TeamView, place: Place) -> Findings:
    """A person who is given more time than there is around the question."""
    if not isinstance(place.node, PersonNode):
        return
    seconds = longest_seconds(view.team, place.node.model_copy(update={"fallback": None}), view.tool_seconds)
    for above in place.chain:
        around = above.node.timeout_seconds
        if isinstance(above.node, PatternBase):
            around = min(above.node.seconds, around or above.node.seconds)
        if around is not None and around < seconds:
            yield Finding(
                place.at,
                f"{place.label} has {seconds:g} s to answer, and {above.label} around it ends after {around:g} s",
                "raise the seconds around it, or give a smaller asking.seconds",
                Weight.WARNING,
            )
            return


def _less(bound: float | None, amount: float) -> bool:
    return bound is not None and bound + 1e-9 < amount


def _amount(amounts: Amounts | Budget, name: str) -> str:
    value = getattr(amounts, name)
    return f"{_figure(value)} {_UNITS[name].removesuffix('s') if value == 1 else _UNITS[name]}"


def _figure(value: float) -> str:
    return f"{value:,}" if isinstance(value, int) else f"{value:.6f}".rstrip("0").rstrip(".")
