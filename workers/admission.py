"""Admission: everything that a run needs is resolved, checked, frozen and uploaded before it starts.

Names are looked up here and never again: tiers become real models with prices, tools become schemas, the input folder
becomes a snapshot. So a roll-out changes no run under way, and a mistake costs nothing but a sentence.
"""

import asyncio
from dataclasses import dataclass
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from activities.contracts.base import RunId
from activities.contracts.profile import AgentProfile, Effect
from activities.contracts.snapshot import SnapshotRef
from activities.errors import ConfigurationInvalid
from activities.object_store import ObjectStore
from activities.prompts import profile_tokens
from activities.snapshots import describe_notes, describe_skipped, write_snapshot
from workers.deployment import Deployment
from workers.embedding_plan import embeddings_of
from workers.input_folder import read_folder
from workers.monitors import with_defaults
from workers.policy import foreseen, load_policy
from workers.profiles import build_profiles
from workers.team_check import complete
from workflows import steps
from workflows.contracts import Goal, ModelRoute, NodePlan, RunInput
from workflows.teams.tree import TeamSpec


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
    team, profiles = resolve(deployment, team, order.provider)
    compared = embeddings_of(team, profiles, deployment.settings, order.provider or deployment.settings.provider)
    store, scope_id = deployment.store, order.run_id
    snapshot: SnapshotRef | None = None
    missing: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    if order.folder is not None:
        files, skipped = await asyncio.to_thread(read_folder, order.folder, order.include)
        snapshot = await write_snapshot(store, scope_id, files, skipped)
        missing, notes = describe_skipped(skipped), describe_notes(skipped)
    run = await freeze(store, team, profiles, goal=order.goal, scope_id=scope_id)
    told, people_seconds = foreseen(load_policy(deployment.settings.policy, deployment.tools), team, profiles)
    told = (*told, *compared.notes)
    given = {"snapshot": snapshot, "missing": missing, "notes": (*notes, *told)[:100], "provider": order.provider}
    return run.model_copy(update={**given, "people_seconds": people_seconds, "embeddings": compared.routes})


async def admit_again(
    deployment: Deployment, old: RunInput, *, team: TeamSpec | None = None, provider: str = ""
) -> RunInput:
    """The input of a run once more, all names resolved with today's settings. Goal, snapshot and lineage stay.

    Args:
        deployment: the deployment.
        old: what the run was started with.
        team: in place of the run's.
        provider: in place of the one that it was started with.

    Raises:
        ConfigurationInvalid: as ``admit``.
    """
    provider = provider or old.provider
    team, profiles = resolve(deployment, team or old.team, provider)
    compared = embeddings_of(team, profiles, deployment.settings, provider or deployment.settings.provider)
    run = await freeze(deployment.store, team, profiles, goal=old.goal, scope_id=old.scope_id)
    kept = ("snapshot", "missing", "notes", "generation", "max_history_events", "rewind", "run_id")
    _, people_seconds = foreseen(load_policy(deployment.settings.policy, deployment.tools), team, profiles)
    given = {"provider": provider, "people_seconds": people_seconds, "embeddings": compared.routes}
    return run.model_copy(update={**{name: getattr(old, name) for name in kept}, **given})


def resolve(deployment: Deployment, team: TeamSpec, provider: str) -> tuple[TeamSpec, dict[str, AgentProfile]]:
    """Look up and check all names of a team: the completed team, and the profile of every agent and call.

    Raises:
        ConfigurationInvalid: the first thing that cannot work.
    """
    settings, team = deployment.settings, complete(team)
    return team, build_profiles(team, settings, deployment.tools, provider or settings.provider)


async def freeze(
    store: ObjectStore, team: TeamSpec, profiles: dict[str, AgentProfile], *, goal: str, scope_id: str
) -> RunInput:
    """Upload what was resolved; the run's input, as yet without a snapshot."""
    specs = [spec for profile in profiles.values() for spec in (*profile.tools, *profile.checks)]
    plans = {
        name: make_node_plan(profile, await store.put_model(scope_id, profile)) for name, profile in profiles.items()
    }
    return RunInput(
        team=team,
        goal=goal,
        scope_id=scope_id,
        plans=with_defaults(team, profiles, plans),
        tool_seconds={spec.name: spec.timeout_seconds for spec in specs},
    )


def make_node_plan(profile: AgentProfile, digest: str) -> NodePlan:
    """What a workflow has to know of a profile."""
    return NodePlan(
        profile=digest,
        models=tuple(
            ModelRoute(
                model=f"{choice.provider}:{choice.model}",
                queue=steps.model_queue(choice.provider),
                input_usd_per_million=choice.input_usd_per_million,
                output_usd_per_million=choice.output_usd_per_million,
            )
            for choice in profile.models
        ),
        prompt_tokens=profile_tokens(profile) if profile.models else 0,
        effects=tuple(spec.name for spec in profile.tools if spec.effect is not Effect.READ),
        once=tuple(spec.name for spec in profile.tools if spec.effect is Effect.ONCE),
        compensations={spec.name: spec.compensate for spec in profile.tools if spec.compensate},
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


def _check(value: str, adapter: TypeAdapter[str], what: str, fix: str) -> None:
    try:
        adapter.validate_python(value)
    except ValidationError as error:
        raise ConfigurationInvalid(f"{what} is not valid: {error.errors()[0]['msg']}", fix=fix) from error
