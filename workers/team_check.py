"""Checks a team before anything is spent, and completes what the platform gives: the contracts of planners and judges."""

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from activities.errors import ConfigurationInvalid
from activities.tools.base import Tool
from workers.checks.budgets import budgets
from workers.checks.calls import calls
from workers.checks.contracts import contracts
from workers.checks.debate import debates
from workers.checks.fan_out import fan_outs
from workers.checks.findings import At, Check, Finding, TeamView, Weight
from workers.checks.hierarchies import hierarchies, secrets
from workers.checks.monitors import monitors
from workers.checks.names import looks, names
from workers.checks.network import exchanges, networks
from workers.checks.once import once
from workers.checks.people import people
from workers.checks.plan import plans
from workers.checks.reach import reach
from workers.checks.refine import refines
from workers.checks.roles import completed, roles
from workers.checks.router import routers
from workers.checks.supervisors import supervisors
from workers.checks.tools import grants, tools
from workers.team_file import line_of
from workers.team_yaml import Lines
from workflows.teams.tree import TeamSpec

MAX_FINDINGS = 50
"""Findings of one check that are told: who mends so many looks again."""

_SHAPE: tuple[Check, ...] = (
    names,
    supervisors,
    hierarchies,
    fan_outs,
    debates,
    refines,
    routers,
    plans,
    networks,
    roles,
)
"""What the others build on."""
_PARTS: tuple[Check, ...] = (tools, grants, calls, contracts, people, looks, reach, secrets, once, monitors, exchanges)


def complete(team: TeamSpec) -> TeamSpec:
    """The team with the contracts that patterns give to their agents. Completing twice changes nothing.

    Raises:
        ConfigurationInvalid: the first thing in the shape of the tree that cannot work.
    """
    view = TeamView(team)
    refuse(_run(view, _SHAPE))
    return completed(view)


def check_parts(team: TeamSpec, tools: Mapping[str, Tool]) -> None:
    """Refuse a completed team that cannot work with the tools of this deployment.

    Raises:
        ConfigurationInvalid: the first thing that cannot work.
    """
    refuse(examine(TeamView(team, tools, knows_tools=True)))


def examine(view: TeamView) -> list[Finding]:
    """What is wrong with a team or worth knowing, errors first. Where its shape is wrong, no more is looked at.

    Budgets are looked at where the view has plans.
    """
    found = _run(view, _SHAPE) or _run(view, (*_PARTS, budgets) if view.plans else _PARTS)
    # An agent on another tier is the same node once more: what is wrong with it is told where it is written.
    repeated = {place.at for place in view.places if place.is_same}
    told = {(finding.message, finding.fix) for finding in found if not _is_at(finding.at, repeated)}
    found = [
        finding for finding in found if (finding.message, finding.fix) not in told or not _is_at(finding.at, repeated)
    ]
    return sorted(found, key=lambda finding: list(Weight).index(finding.weight))[:MAX_FINDINGS]


def refuse(found: Sequence[Finding], *weights: Weight, file: Path | None = None, lines: Lines | None = None) -> None:
    """Refuse a team for what was found.

    Args:
        found: the findings.
        weights: which of them count; ``BROKEN`` where none is given.
        file: where the team is from, for the message.
        lines: its lines.

    Raises:
        ConfigurationInvalid: the first that counts.
    """
    for finding in found:
        if finding.weight in (weights or (Weight.BROKEN,)):
            raise ConfigurationInvalid(sentence(finding, file, lines), fix=finding.fix)


def sentence(finding: Finding, file: Path | None, lines: Lines | None) -> str:
    """A finding with file and line, where the team is from a file."""
    return finding.message if file is None else f"{file}:{line_of(finding.at, lines or {})}: {finding.message}"


def _is_at(at: At, places: Collection[At]) -> bool:
    return any(at[:length] in places for length in range(1, len(at) + 1))


def _run(view: TeamView, checks: Sequence[Check]) -> list[Finding]:
    return [finding for check in checks for finding in check(view)]
