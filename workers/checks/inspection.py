"""A team looked at with a deployment's tools, models and prices: all that can be known of it before it runs."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from activities.errors import ConfigurationInvalid
from activities.tools.base import Tool
from workers.admission import make_node_plan
from workers.checks.findings import At, Finding, TeamView, Weight
from workers.embedding_plan import resolve_embeddings
from workers.model_plan import resolve_models
from workers.own_workflows import check_workflows
from workers.policy import foreseen, load_policy
from workers.pools import ALL_WORKFLOWS, PROVIDERS
from workers.profiles import build_profiles
from workers.settings import Settings
from workers.team_check import complete, examine, refuse, sentence
from workers.team_file import line_of, load_team_with_lines, nearest
from workers.team_yaml import Lines
from workflows.teams.agents import AgentSpec
from workflows.teams.tree import AgentNode, PatternBase, TeamSpec, WorkflowNode

_NO_BLOB = "0" * 40


@dataclass(frozen=True)
class Inspection:
    """What was found."""

    view: TeamView
    """The team, completed where its shape allows it; with plans where nothing is broken."""
    findings: list[Finding]
    """Errors first."""
    file: Path | None = None
    lines: Lines = field(default_factory=dict)

    @property
    def errors(self) -> list[Finding]:
        """What has to be mended before the team runs."""
        return [finding for finding in self.findings if finding.weight is not Weight.WARNING]

    @property
    def warnings(self) -> list[str]:
        """What is worth knowing, one sentence each."""
        return [self.sentence(finding) for finding in self.findings if finding.weight is Weight.WARNING]

    @property
    def is_sound(self) -> bool:
        """Whether nothing is broken, so that the view has plans."""
        return not any(finding.weight is Weight.BROKEN for finding in self.findings)

    def entry(self, finding: Finding) -> dict[str, Any]:
        """A finding as JSON."""
        where = {"file": str(self.file), "line": line_of(finding.at, self.lines)} if self.file else {}
        return {**where, "at": ".".join(finding.at), "message": finding.message, "fix": finding.fix}

    def sentence(self, finding: Finding) -> str:
        """A finding, with file and line."""
        return sentence(finding, self.file, self.lines)

    def refuse(self) -> None:
        """Refuse a team with an error.

        Raises:
            ConfigurationInvalid: the first.
        """
        refuse(self.findings, Weight.BROKEN, Weight.ERROR, file=self.file, lines=self.lines)


def inspect_team(
    team: Path | TeamSpec, settings: Settings, tools: Mapping[str, Tool], provider: str = ""
) -> Inspection:
    """Look at a team.

    Args:
        team: the team, or its file.
        settings: models and prices.
        tools: the deployment's.
        provider: in place of the settings'.

    Raises:
        ConfigurationInvalid: the file cannot be read as a team, or the provider is not known.
    """
    provider = provider or settings.provider
    if provider not in PROVIDERS:
        raise ConfigurationInvalid(f"the provider {provider!r} is not known", fix=nearest(provider, list(PROVIDERS)))
    file, lines = (None, {}) if isinstance(team, TeamSpec) else (team, Lines())
    if not isinstance(team, TeamSpec):
        team, lines = load_team_with_lines(team)
    view = TeamView(team, tools, knows_tools=True)
    found = examine(view)
    if not any(finding.weight is Weight.BROKEN for finding in found):
        team = complete(team)
        view = TeamView(team, tools, knows_tools=True)
        found = examine(view) + _names(view, settings, provider)
        if not any(finding.weight is Weight.BROKEN for finding in found):
            view, found = _resolved(view, settings, provider)
    return Inspection(view, found, file, lines)


def _names(view: TeamView, settings: Settings, provider: str) -> list[Finding]:
    """What the deployment does not have: models of an agent's tier, and workflows of one's own."""
    team, found = view.team, []
    agents: list[tuple[At, str, AgentSpec]] = [(("agents", name), name, agent) for name, agent in team.agents.items()]
    agents += [
        (
            place.at,
            place.node.agent,
            team.agents[place.node.agent].model_copy(update={"tier": place.node.tier, "model": None}),
        )
        for place in view.places
        if isinstance(place.node, AgentNode) and place.node.tier
    ]
    for at, name, agent in agents:
        try:
            resolve_models(name, agent, settings, provider)
        except ConfigurationInvalid as error:
            found.append(Finding((*at, "model" if agent.model else "tier"), str(error), error.fix))
    for place in view.places:
        compared = place.node.comparisons() if isinstance(place.node, PatternBase) else None
        try:
            resolve_embeddings(settings, provider, [compared.similarity] if compared else [])
        except ConfigurationInvalid as error:
            found.append(Finding(place.at, str(error), error.fix))
    for place in view.places:
        if isinstance(place.node, WorkflowNode):
            try:
                check_workflows(team.model_copy(update={"root": place.node}), settings, ALL_WORKFLOWS)
            except ConfigurationInvalid as error:
                found.append(Finding((*place.at, "workflow"), str(error), error.fix))
                break
    return found


def _resolved(view: TeamView, settings: Settings, provider: str) -> tuple[TeamView, list[Finding]]:
    """With plans as a run would have them, and all that was found."""
    try:
        profiles = build_profiles(view.team, settings, view.tools, provider)
    except ConfigurationInvalid as error:  # whatever no check has a place for
        return view, [Finding(("root",), str(error), error.fix)]
    specs = [spec for profile in profiles.values() for spec in (*profile.tools, *profile.checks)]
    view = TeamView(
        view.team,
        view.tools,
        knows_tools=True,
        plans={name: make_node_plan(profile, _NO_BLOB) for name, profile in profiles.items()},
        tool_seconds={spec.name: spec.timeout_seconds for spec in specs},
    )
    told, _ = foreseen(load_policy(settings.policy, view.tools), view.team, profiles)
    fix = "ask whoever keeps the policy (OSTINATO_POLICY), or take the tool away"
    return view, [*examine(view), *(Finding(("root",), note, fix, Weight.WARNING) for note in told)]
