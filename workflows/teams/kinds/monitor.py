"""Monitor: a node whose proposed actions are reviewed by policies before they happen."""

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from activities.contracts.base import Name, Schema
from activities.contracts.monitors import MAX_JUDGES, MAX_RULES, MonitorJudge, MonitorRule, MonitorSpec
from workflows.teams.kinds.base import Part, PatternBase, listed, record, share, text
from workflows.teams.kinds.single import AgentNode

if TYPE_CHECKING:
    from workflows.teams.tree import Node


class MonitorNode(PatternBase):
    """A node, and what reviews the tool calls, handoffs and answers in it."""

    kind: Literal["monitor"] = "monitor"
    name: Name = "monitor"
    node: "Node"
    """What is monitored. A call may take what its place offers."""
    rules: Annotated[tuple[MonitorRule, ...], Field(max_length=MAX_RULES)] = ()
    """In order: an ``edit`` changes the action and the next rules look at that; the first other verdict decides."""
    judges: Annotated[tuple[MonitorJudge, ...], Field(max_length=MAX_JUDGES)] = ()
    """Asked where no rule has blocked the action or halted the run. Each answers ``{score, reasons, correction}``."""
    corrections: Annotated[int, Field(ge=0, le=20)] = 2
    """Times that an agent's answer is sent back; it counts against the agent's own corrections too."""

    @property
    def spec(self) -> MonitorSpec:
        """What travels down with the tasks."""
        return MonitorSpec(name=self.name, rules=self.rules, judges=self.judges, corrections=self.corrections)

    def parts(self) -> tuple[Part, ...]:
        """The node, and a judge's agent for each judge: how often that is asked depends on what the node does."""
        found = [Part("node", self.node, 1, 1, offers=("^",))]
        asked: dict[str, Part] = {}
        for index, judge in enumerate(self.judges):
            step = f"judge-{self.name}-{judge.name}-t1000-c31"
            part = Part(f"judges.{index}", AgentNode(agent=judge.judge), 1, 0, answers=judgement(), step=step)
            asked[judge.name] = part
        return (*found, *asked.values())


def judgement() -> Schema:
    """What a judge answers."""
    reasons = listed(text(longest=500), most=5, description="What violates the policy, one sentence each.")
    correction = text("What should be done instead; empty where nothing should.", longest=800, least=0)
    return record(
        {
            "score": share("How clearly the action violates the policy: 0 not at all, 1 clearly."),
            "reasons": reasons,
            "correction": correction,
        }
    )
