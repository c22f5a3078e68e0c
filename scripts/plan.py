"""What ``run`` is asked to do, checked in whole before any server is started: bad input costs a second and leaves nothing."""

import secrets
import string
import sys
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from activities.contracts.profile import ModelChoice
from activities.object_store import digest_of, encode_model
from activities.snapshots import describe_files
from workers.admission import RunOrder, check_goal, check_run_id
from workers.checks.inspection import inspect_team
from workers.deployment import load_tools
from workers.embedding_plan import embeddings_of
from workers.input_folder import read_folder
from workers.plugin import load_codec
from workers.profiles import build_profiles
from workers.settings import Settings
from workflows import steps
from workflows.contracts import ModelRoute, RunInput
from workflows.teams.tree import TeamSpec

MAX_GOAL = 16_000
"""The longest goal; what is read of standard input is one more, so that a longer one is refused and not cut."""


@dataclass(frozen=True)
class Plan:
    """An order that can be carried out."""

    team: TeamSpec
    order: RunOrder
    models: dict[str, tuple[ModelChoice, ...]]
    """Agent to the chain of its models."""
    snapshot: str
    """The digest that the input will have; empty without an input."""
    warnings: tuple[str, ...] = ()
    """What is worth knowing of the team, one sentence each."""
    embeddings: dict[str, ModelRoute] = field(default_factory=dict)
    """What texts are compared with."""

    @property
    def queues(self) -> set[str]:
        """The task queues of its models."""
        asked = {steps.model_queue(choice.provider) for chain in self.models.values() for choice in chain}
        return asked | {route.queue for route in self.embeddings.values()}


def make_plan(settings: Settings, team: Path | TeamSpec, order: RunOrder) -> Plan:
    """Check everything that can be checked without a server.

    Raises:
        ConfigurationInvalid: the first thing that cannot work.
    """
    check_goal(order.goal)
    tools = load_tools(settings)
    found = inspect_team(team, settings, tools, order.provider)
    found.refuse()
    team = found.view.team
    if order.run_id:
        check_run_id(order.run_id)
    provider = order.provider or settings.provider
    profiles = build_profiles(team, settings, tools, provider)
    compared = embeddings_of(team, profiles, settings, provider)
    load_codec(settings)
    digest = ""
    if order.folder is not None:
        files, skipped = read_folder(order.folder, order.include)
        digest = digest_of(encode_model(describe_files(files, skipped)))
    models = {name: profile.models for name, profile in profiles.items() if profile.models}
    return Plan(team, order, models, digest, tuple(found.warnings), compared.routes)


def read_goal(goal: str) -> str:
    """The goal; ``-`` reads it from standard input."""
    return sys.stdin.read(MAX_GOAL + 1) if goal == "-" else goal


def new_run_id(team: TeamSpec) -> str:
    """An id that people can tell apart: team, time (UTC) and four letters."""
    letters = "".join(secrets.choice(string.ascii_lowercase) for _ in range(4))
    return f"{team.team}-{datetime.now(UTC):%Y%m%d-%H%M%S}-{letters}"


def differences(plan: Plan, run: RunInput) -> list[str]:
    """What of this order is not what the run of its id was started with."""
    different = []
    if plan.team != run.team:
        different.append("another team")
    if plan.order.goal != run.goal:
        different.append("another goal")
    if plan.snapshot != (run.snapshot.digest if run.snapshot else ""):
        different.append("another input")
    if plan.queues != run.queues:
        different.append("another provider")
    return different
