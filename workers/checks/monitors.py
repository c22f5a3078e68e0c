"""Monitors: rules that can be read and can match, edits of what can be edited, judges that only judge."""

from collections.abc import Iterator

from activities.contracts.grants import ArgumentRule, Verdict
from activities.contracts.mcp import SEPARATOR
from activities.contracts.monitors import ActionKind, MonitorJudge, MonitorRule
from activities.contracts.people import Asking, Choice
from activities.errors import ConfigurationInvalid
from activities.grants import check_rules
from activities.matching import holds, matcher
from activities.rules import fits
from workers.checks.findings import At, Finding, Findings, Place, TeamView, Weight
from workers.checks.monitored_tools import unseen
from workers.checks.names import MAX_PARTS, MAX_PATH, not_known
from workers.checks.people import never_comes
from workflows.human_checks import check_asking
from workflows.teams.platform import PLATFORM_TOOLS
from workflows.teams.routes import owners
from workflows.teams.tree import AgentNode, MonitorNode, node_name

MAX_BYTES = 64 * 1024
"""Of one monitor: it travels with every nested workflow's task, of at most 2 MiB."""
_ANYTHING = ("*",)


def monitors(view: TeamView) -> Findings:
    """What cannot work in a monitor, and what in it never happens."""
    for place in view.places:
        if isinstance(place.node, MonitorNode):
            yield from _whole(place, place.node)
            yield from _judges(view, place, place.node)
            below = [other for other in view.places if other.at[: len(place.at) + 1] == (*place.at, "node")]
            for index, rule in enumerate(place.node.rules):
                at, who = (*place.at, "rules", str(index)), f"the rule {rule.name or index + 1!r} of {place.label}"
                yield from _verdict(at, who, rule)
                yield from _conditions(at, who, rule)
                yield from _scope(view, below, at, who, rule)
                yield from _asking(view, at, who, rule)
            for index, judge in enumerate(place.node.judges):
                at, who = (*place.at, "judges", str(index)), f"the judge {judge.name!r} of {place.label}"
                yield from _scope(view, below, at, who, judge)
                yield from _asking(view, at, who, judge)
                yield from _paths(below, at, who, f"judge-{place.node.name}-{judge.name}-t1000-c31")


def _whole(place: Place, node: MonitorNode) -> Findings:
    if not node.rules and not node.judges:
        yield Finding(
            place.at, f"{place.label} has no rule and no judge", "give it some, or leave it away", Weight.ERROR
        )
    size = len(node.spec.model_dump_json())
    if size > MAX_BYTES:
        yield Finding(
            place.at, f"{place.label} has {size:,} bytes, more than {MAX_BYTES:,}", "shorten its rules and policies"
        )
    for index, rule in enumerate(node.rules):
        open_ = next((o for o in node.rules[:index] if _takes_all(o) and set(rule.kinds) <= set(o.kinds)), None)
        if open_:
            yield Finding(
                (*place.at, "rules", str(index)),
                f"the rule {rule.name or index + 1!r} of {place.label} is never reached: one before it matches everything",
                "put it before that one",
                Weight.ERROR,
            )


def _takes_all(rule: MonitorRule) -> bool:
    """Whether a rule decides on everything of its kinds."""
    named = (rule.tool, rule.agent, rule.recipient) != (_ANYTHING,) * 3
    return not named and not rule.arguments and rule.text is None and rule.verdict is not Verdict.EDIT


def _judges(view: TeamView, place: Place, node: MonitorNode) -> Findings:
    seen: set[str] = set()
    for index, judge in enumerate(node.judges):
        at = (*place.at, "judges", str(index))
        if judge.name in seen:
            yield Finding(
                (*at, "name"), f"two judges of {place.label} are named {judge.name!r}", "give each its own name"
            )
        seen.add(judge.name)
        agent = view.team.agents.get(judge.judge)
        given = [name for name in ("tools", "transfers_to") if agent and getattr(agent, name)]
        if given:
            yield Finding(
                ("agents", judge.judge, given[0]),
                f"the agent {judge.judge!r} is a judge of {place.label}, and has {given[0]}",
                "take them away: a judge decides by what it is shown",
            )


def _verdict(at: At, who: str, rule: MonitorRule) -> Findings:
    edits = [name for name in ("replace", "limit", "redact") if getattr(rule, name) not in ({}, None)]
    if rule.verdict is Verdict.EDIT and not edits:
        yield Finding((*at, "verdict"), f"{who} edits, and does not say how", "give replace, limit or redact")
    if edits and rule.verdict is not Verdict.EDIT:
        yield Finding((*at, edits[0]), f"{who} has {edits[0]}, and does not edit", "make its verdict edit")
    if rule.verdict is Verdict.EDIT and ActionKind.HANDOFF in rule.kinds:
        yield Finding(
            (*at, "on"),
            f"{who} edits handoffs, and what is handed over cannot be edited",
            "block them, or ask a person",
        )
    if rule.redact is not None and rule.text is None:
        yield Finding((*at, "redact"), f"{who} redacts, and does not say what", "give text")
    if rule.redact is not None and rule.text and holds(matcher(rule.text, whole=False), rule.redact):
        yield Finding((*at, "redact"), f"what {who} puts in place of a text matches it again", "choose another word")
    if rule.text is not None and rule.redact is not None and holds(matcher(rule.text, whole=True), ""):
        yield Finding((*at, "text"), f"{who} redacts what may be empty", "write a pattern that takes something")


def _conditions(at: At, who: str, rule: MonitorRule) -> Findings:
    both: tuple[tuple[str, dict[str, ArgumentRule]], ...] = (("arguments", rule.arguments), ("limit", rule.limit))
    for field, conditions in both:
        try:
            check_rules(conditions, who)
        except ConfigurationInvalid as error:
            yield Finding((*at, field), str(error), error.fix)
    if any(one.one_of is not None or one.pattern is not None for one in rule.limit.values()):
        yield Finding((*at, "limit"), f"{who} limits by more than bounds", "use minimum, maximum and max_length")
    if rule.text is not None and isinstance(problem := matcher(rule.text, whole=False), str):
        yield Finding(
            (*at, "text"),
            f"the pattern of {who} cannot be read: {problem}",
            "write a regular expression without look-around and references to groups",
        )
    wanted = [
        (name, kinds)
        for name, given, kinds in (
            ("tool", rule.tool != _ANYTHING, {ActionKind.TOOL_CALL}),
            ("recipient", rule.recipient != _ANYTHING, {ActionKind.HANDOFF}),
            ("arguments", bool(rule.arguments), {ActionKind.TOOL_CALL, ActionKind.ANSWER}),
        )
        if given
    ]
    for name, kinds in wanted:
        if not kinds & set(rule.kinds):
            yield Finding(
                (*at, name),
                f"{who} never matches: nothing that it looks at has a {name}",
                f"leave {name} or on away",
                Weight.ERROR,
            )


def _scope(view: TeamView, below: list[Place], at: At, who: str, rule: MonitorRule | MonitorJudge) -> Findings:
    """Names that nothing below the monitor has."""
    agents = {name for one in below for name in _actors(view, one)}
    nodes = {node_name(one.node) for one in below} | agents
    tools = {tool for one in below for tool in _tools(view, one)}
    for field, patterns, known in (
        ("tool", rule.tool, tools),
        ("agent", rule.agent, nodes),
        ("recipient", rule.recipient, nodes),
    ):
        for pattern in patterns:
            foreign = field == "tool" and SEPARATOR in pattern  # what its server has is not known here
            if pattern != "*" and not foreign and not any(fits((pattern,), name) for name in known):
                yield Finding(
                    (*at, field),
                    f"{who} never matches: nothing below it has the {field} {pattern!r}",
                    not_known(pattern.rstrip("*"), known),
                    Weight.ERROR,
                )
    if isinstance(rule, MonitorRule) and rule.kinds == (ActionKind.TOOL_CALL,):
        yield from _arguments(view, tools, at, who, rule)
    if isinstance(rule, MonitorRule) and ActionKind.TOOL_CALL in rule.kinds:
        yield from unseen(view, (tool for tool in tools if fits(rule.tool, tool)), at, who, rule)


def _arguments(view: TeamView, tools: set[str], at: At, who: str, rule: MonitorRule) -> Findings:
    meant = [tool for tool in tools if fits(rule.tool, tool)]
    if not meant or not all(tool in view.tools for tool in meant):
        return
    known = {name for tool in meant for name in view.tools[tool].arguments.model_fields}
    for field in ("arguments", "replace", "limit"):
        for name in getattr(rule, field):
            if name not in known:
                message = f"{who} names the argument {name!r}, which none of its tools has"
                yield Finding((*at, field, name), message, not_known(name, known), Weight.ERROR)


def _actors(view: TeamView, place: Place) -> Iterator[str]:
    """Who may act at a place: an agent and those to which it transfers, or the node."""
    yield from owners(view.team, place.node.agent) if isinstance(place.node, AgentNode) else (node_name(place.node),)


def _tools(view: TeamView, place: Place) -> Iterator[str]:
    if not isinstance(place.node, AgentNode):
        yield from view.tools_of(place.node)
        return
    for name in owners(view.team, place.node.agent):
        if name in view.team.agents:
            yield from (tool for tool in view.team.agents[name].tools if tool not in PLATFORM_TOOLS)


def _asking(view: TeamView, at: At, who: str, rule: MonitorRule | MonitorJudge) -> Findings:
    asking: Asking | None = rule.asking
    if asking is None:
        return
    if rule.verdict is not Verdict.ASK:
        yield Finding((*at, "asking"), f"{who} has asking, and does not ask", "make its verdict ask")
    for name in sorted({*asking.people, *asking.escalate_to} & set(view.team.agents)):
        yield Finding((*at, "asking"), f"{name!r} is an agent of the team, and no agent may decide", "name people")
    for field, message, fix in never_comes(asking):
        yield Finding((*at, "asking", field), message, fix, Weight.ERROR)
    if asking.default not in {None, Choice.APPROVE, Choice.REJECT}:
        yield Finding(
            (*at, "asking", "default"), f"what {who} asks is approved or rejected by default", "write approve or reject"
        )
        return
    try:
        check_asking(asking, (Choice.APPROVE, Choice.REJECT))
    except ConfigurationInvalid as error:
        yield Finding((*at, "asking"), str(error), error.fix)


def _paths(below: list[Place], at: At, who: str, segment: str) -> Findings:
    longest = max((("/".join((*one.parts, segment)), len(one.parts) + 1) for one in below), key=lambda p: len(p[0]))
    deepest = max(len(one.parts) + 1 for one in below)
    if len(longest[0]) > MAX_PATH or deepest > MAX_PARTS:
        yield Finding(
            at,
            f"{who} watches steps whose paths are too long: with its own part {len(longest[0])} characters and {deepest} parts,"
            f" of at most {MAX_PATH} and {MAX_PARTS}",
            "flatten the tree, or shorten the names",
        )
