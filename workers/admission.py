"""Admission: everything that a run needs is resolved, checked, frozen and uploaded before it starts.

Names are looked up here and never again: tiers become real models with prices, tools become schemas, the input folder
becomes a snapshot. So a roll-out changes no run under way, and a mistake costs nothing but a sentence.
"""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from activities.contracts.base import RunId
from activities.contracts.profile import AgentProfile, Effect, ModelChoice, ToolSpec
from activities.contracts.snapshot import Snapshot, SnapshotRef
from activities.errors import ConfigurationInvalid
from activities.outputs import check_schema
from activities.prompts import profile_tokens
from activities.providers.prices import DEFAULT_MODELS, price_of
from activities.snapshots import write_snapshot
from activities.tools.base import Tool
from workers.deployment import Deployment
from workers.input_folder import read_folder
from workers.pools import PROVIDERS
from workers.settings import Settings
from workers.team_file import nearest
from workflows import steps
from workflows.contracts import AgentNode, AgentSpec, CallNode, Goal, RunInput, TeamSpec

Tools = Mapping[str, Tool]

OFFLINE = ModelChoice(provider="offline", model="extractive")


@dataclass(frozen=True)
class RunOrder:
    """What somebody wants done."""

    goal: str
    """The question or task, at most 16,000 characters."""
    run_id: str
    """The workflow's id, and the name of its lineage: letters, digits, ``.``, ``_`` and ``-``."""
    folder: Path | None = None
    """The input folder or file; uploaded, so workers need no access to it."""
    include: tuple[str, ...] = ()
    """Glob patterns that pick files of the folder; empty means all."""
    provider: str = ""
    """In place of the settings' provider; ``offline`` where nobody says otherwise."""


async def admit(deployment: Deployment, team: TeamSpec, order: RunOrder) -> RunInput:
    """Check a run and upload what it needs; the input for ``start_workflow``.

    Raises:
        ConfigurationInvalid: the first thing that cannot work. Nothing has been started, nothing is spent.
    """
    check_run_id(order.run_id)
    check_goal(order.goal)
    profiles = build_profiles(
        team, deployment.settings, deployment.tools, order.provider or deployment.settings.provider
    )
    store, scope_id = deployment.store, order.run_id
    snapshot: SnapshotRef | None = None
    missing: tuple[str, ...] = ()
    if order.folder is not None:
        files, skipped = await asyncio.to_thread(read_folder, order.folder, order.include)
        snapshot = await write_snapshot(store, scope_id, files, skipped)
        missing = describe_skipped(skipped)
    chosen = {name: profile.models[0] for name, profile in profiles.items() if profile.models}
    specs = [spec for profile in profiles.values() for spec in (*profile.tools, *profile.checks)]
    return RunInput(
        team=team,
        goal=order.goal,
        scope_id=scope_id,
        profiles={name: await store.put_model(scope_id, profile) for name, profile in profiles.items()},
        queues={name: steps.model_queue(choice.provider) for name, choice in chosen.items()},
        prices={name: (c.input_usd_per_million, c.output_usd_per_million) for name, c in chosen.items()},
        prompt_tokens={name: profile_tokens(profile) for name, profile in profiles.items()},
        tool_seconds={spec.name: spec.timeout_seconds for spec in specs},
        snapshot=snapshot,
        missing=missing,
    )


def check_run_id(run_id: str) -> None:
    """Refuse an id that is no workflow id of ours."""
    _check(run_id, TypeAdapter(RunId), "the run id", "use letters, digits, '.', '_' and '-', at most 100")


def check_goal(goal: str) -> None:
    """Refuse a goal that is empty or far too long."""
    _check(
        goal.strip(),
        TypeAdapter(Goal),
        "the goal",
        "ask in at most 16,000 characters; put material into the input folder",
    )


def build_profiles(team: TeamSpec, settings: Settings, tools: Tools, provider: str) -> dict[str, AgentProfile]:
    """What the activities need to know of each node: tools, contract and models, resolved.

    Raises:
        ConfigurationInvalid: an unknown agent, tool, check, provider or tier, or a contract that is no JSON Schema.
    """
    if provider not in PROVIDERS:
        raise ConfigurationInvalid(f"the provider {provider!r} is not known", fix=nearest(provider, list(PROVIDERS)))
    identity = f"{team.team}/{{}}@{team.version}"
    if not isinstance(team.root, AgentNode):
        spec = _tool(team.root.tool, tools, "the root call")
        _check_arguments(team.root, tools[spec.name])
        return {team.root.name: AgentProfile(agent=identity.format(team.root.name), tools=(spec,))}
    if team.root.agent not in team.agents:
        raise ConfigurationInvalid(
            f"the root names the agent {team.root.agent!r}, which the team does not have",
            fix=nearest(team.root.agent, sorted(team.agents)),
        )
    profiles = {}
    for name, agent in team.agents.items():
        model = resolve_model(name, agent, settings, provider)
        profiles[name] = _profile(name, agent, tools, model).model_copy(update={"agent": identity.format(name)})
    return profiles


def resolve_model(name: str, agent: AgentSpec, settings: Settings, provider: str) -> ModelChoice:
    """The real model of an agent. The offline model unless a provider is asked for, whatever the team names.

    Raises:
        ConfigurationInvalid: the tier has no model, or the model's provider is not known.
    """
    if provider == "offline":
        return OFFLINE
    address = agent.model or settings.models.get(agent.tier)
    if address is None:
        model = DEFAULT_MODELS.get(provider, {}).get(agent.tier)
        if model is None:
            raise ConfigurationInvalid(
                f"the tier {agent.tier!r} of the agent {name!r} has no model at the provider {provider!r}",
                fix=f'set [models] {agent.tier} = "{provider}:MODEL" in settings.toml',
            )
        address = f"{provider}:{model}"
    family, _, model = address.partition(":")
    if family not in PROVIDERS or not model:
        raise ConfigurationInvalid(
            f"the model {address!r} of the agent {name!r} has no known provider", fix=nearest(family, list(PROVIDERS))
        )
    price = price_of(family, model)
    if price is None:
        return ModelChoice(provider=family, model=model, priced=family == "offline")
    return ModelChoice(
        provider=family, model=model, input_usd_per_million=float(price[0]), output_usd_per_million=float(price[1])
    )


def describe_skipped(skipped: Snapshot) -> tuple[str, ...]:
    """What of the input could not be read, for the result: the first 20 by name."""
    named = [f"input file {file.path}: {file.reason}"[:1000] for file in skipped.skipped[:20]]
    more = skipped.skipped_count - len(named)
    return (*named, *([f"{more} more input files could not be read"] if more > 0 else []))


def _profile(name: str, agent: AgentSpec, tools: Tools, model: ModelChoice) -> AgentProfile:
    where = f"the agent {name!r}"
    if agent.output:
        check_schema(agent.output.schema_)
    checks = tuple(_tool(check, tools, where) for check in (agent.output.checks if agent.output else ()))
    for check in checks:
        if check.effect is not Effect.READ:
            raise ConfigurationInvalid(
                f"the check {check.name!r} of {where} has effects", fix="use a tool of effect read"
            )
    return AgentProfile(
        agent=name,
        instructions=agent.instructions,
        tools=tuple(_tool(tool, tools, where) for tool in dict.fromkeys(agent.tools)),
        checks=checks,
        output=agent.output,
        models=(model,),
        temperature=agent.temperature,
        max_output_tokens=agent.limits.output_tokens,
    )


def _check_arguments(node: CallNode, tool: Tool) -> None:
    """Refuse arguments that the tool would refuse; ``$goal`` stands for any text."""
    given = {name: "the goal" if value == "$goal" else value for name, value in node.arguments.items()}
    try:
        tool.arguments.model_validate_json(json.dumps(given))
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(map(str, first["loc"])) or "arguments"
        raise ConfigurationInvalid(
            f"the root call's arguments do not fit the tool {node.tool!r}: {where}: {first['msg']}",
            fix=nearest(where, sorted(tool.arguments.model_fields)),
        ) from error


def _tool(name: str, tools: Tools, where: str) -> ToolSpec:
    if name not in tools:
        raise ConfigurationInvalid(
            f"{where} names the tool {name!r}, which is not known", fix=nearest(name, sorted(tools))
        )
    return tools[name].spec


def _check(value: str, adapter: TypeAdapter[str], what: str, fix: str) -> None:
    try:
        adapter.validate_python(value)
    except ValidationError as error:
        raise ConfigurationInvalid(f"{what} is not valid: {error.errors()[0]['msg']}", fix=fix) from error
