"""Monitored teams for tests, and judges that look for fools."""

from pathlib import Path
from typing import Any

from activities.providers.base import ProviderAnswer, ProviderCall
from tests.support.scripted import Script, says, says_json
from workflows.contracts import RunResult
from workflows.teams.tree import TeamSpec

TONE = {"name": "tone", "judge": "referee", "policy": "Nobody is called a fool."}


def watched(
    node: dict[str, Any], *rules: dict[str, Any], agents: dict[str, Any] | None = None, **more: Any
) -> TeamSpec:
    """A team of one monitor around a node."""
    root = {"kind": "monitor", "name": "watch", "node": node, "rules": list(rules), **more}
    named = {
        name: {"instructions": f"You are {name}.", "tier": "small", **given} for name, given in (agents or {}).items()
    }
    return TeamSpec.model_validate({"team": "t", "agents": named, "root": root}, extra="forbid")


def judged(*rules: dict[str, Any], node: dict[str, Any] | None = None, **judge: Any) -> TeamSpec:
    """A monitor with a judge around an agent ``a`` that may mail, or another node."""
    agents: dict[str, Any] = {"a": {"tools": ["send_mail"]}, "b": {}, "referee": {}}
    watch = node or {"kind": "agent", "agent": "a"}
    used = {inner["agent"] for inner in (watch, *watch.get("stages", ())) if "agent" in inner} | {"referee"}
    agents = {name: given for name, given in agents.items() if name in used}
    return watched(watch, *rules, agents=agents, judges=[{**TONE, **judge}])


def judges(call: ProviderCall) -> bool:
    """Whether it is the judge who is asked."""
    return "referee" in call.instructions


def scores(call: ProviderCall) -> ProviderAnswer:
    """A judgement: bad where a fool stands in the action."""
    if "fool" in call.messages[-1].text.partition("stands between")[2]:
        return says_json({"score": 0.9, "reasons": ["somebody is insulted"], "correction": "stay polite"})
    return says_json({"score": 0.1, "reasons": [], "correction": ""})


def talks(*texts: str | ProviderAnswer) -> Script:
    """Agents that say one thing after the other, and a judge."""
    left = [says(one) if isinstance(one, str) else one for one in texts]
    return lambda call, _: scores(call) if judges(call) else left.pop(0)


def verdicts(result: RunResult) -> list[tuple[str, str, str]]:
    """What was said to which kind of action, and by whom."""
    return [(str(d.action or ""), d.verdict.value, d.by) for d in result.decisions]


def done(effects: Path) -> list[str]:
    """What the tools have done since the test began."""
    return [line.split(maxsplit=2)[0] + " " + line.split(maxsplit=2)[2] for line in effects.read_text().splitlines()]
