"""What monitors need on top of what they watch: agents that judge, and time for the people whom they ask."""

from collections.abc import Iterable

from activities.contracts.grants import Verdict
from activities.contracts.monitors import MonitorSpec
from activities.contracts.people import Asking

MAX_ASKED = 20
"""Decisions one after the other that are waited for; more end the nested run at its execution timeout."""


def judges_of(monitors: Iterable[MonitorSpec]) -> tuple[str, ...]:
    """The agents that judge, each once."""
    return tuple(dict.fromkeys(judge.judge for spec in monitors for judge in spec.judges))


def asking_seconds(monitors: Iterable[MonitorSpec], people: Asking) -> float:
    """How long people may take whom monitors ask, so that no run is ended behind their backs.

    Args:
        monitors: all above a workflow.
        people: who is asked where a monitor names nobody.
    """
    found = [0.0]
    for spec in monitors:
        found += [(rule.asking or people).seconds for rule in spec.rules if rule.verdict is Verdict.ASK]
        found += [(judge.asking or people).seconds for judge in spec.judges if judge.verdict is Verdict.ASK]
    return MAX_ASKED * max(found)
