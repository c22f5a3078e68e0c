"""Planner, writer and checker of a brief: subtasks, claims with their quotations, verdicts on them.

A researcher needs no part of its own: it searches, and its contract is filled from what it found.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from activities.contracts.base import Schema
from activities.contracts.messages import Message, UserMessage
from activities.providers.offline_checker import drafted, judge, verdict_items
from activities.providers.offline_evidence import Evidence
from activities.providers.offline_planner import further, plan, subtask_items
from activities.providers.offline_prompts import Layout, follow_up
from activities.providers.offline_reading import Reading
from activities.providers.offline_roles.base import CUTS, Blind, Request, Role, last_answer
from activities.providers.offline_schema import Material, fill
from activities.providers.offline_writer import Finding, choose, claim_items, corrected, findings, unanswered

OPEN = "unanswered"
"""A writer's list of what nothing was found on."""


def recognise(request: Request) -> Role | None:
    """A list of subtasks with types, of numbered verdicts, or of claims with quotations; in a prompt that is laid out."""
    schema, layout, messages = request.schema, request.reading.layout, request.messages
    if schema is None or layout is None or layout.subtask_id:
        return None
    if items := subtask_items(schema):
        types = [str(kind) for kind in items[1]["type"]["enum"]]
        return Planner(items[0], types, layout, _results(messages), bool(request.reading.calls))
    if layout.material and (names := verdict_items(schema)) and (claims := drafted(layout.material)) is not None:
        return Checker(names, claims)
    if not request.finds and (name := claim_items(schema)):
        before = last_answer(messages)
        return Writer(schema, name, request.reading, layout, before if isinstance(before, dict) else {})
    return None


@dataclass(frozen=True)
class Planner:
    """Breaks a goal down."""

    name: str
    types: list[str]
    layout: Layout
    results: list[dict[str, Any]] | None
    """What has come back, where further subtasks are asked for."""
    has_searched: bool

    reads = True

    @property
    def searches(self) -> bool:
        """One look at the documents, before the first plan."""
        return self.results is None and not self.has_searched

    def answers(self, evidence: Sequence[Evidence]) -> Iterator[Any]:
        """The subtasks."""
        if self.results is None:
            subtasks = plan(self.layout, self.types, evidence)
        else:
            subtasks = further(self.layout, self.types, self.results)
        yield from ({self.name: subtasks[:count]} for count in CUTS)


@dataclass(frozen=True)
class Writer(Blind):
    """Chooses among findings."""

    schema: Schema
    name: str
    reading: Reading
    layout: Layout
    before: dict[str, Any]
    """Its last answer."""

    def answers(self, evidence: Sequence[Evidence]) -> Iterator[Any]:
        """The claims, fewer and fewer."""
        del evidence
        chosen, spare = choose(self.layout.task, findings(self.layout.material))
        if self.reading.complaints:
            claims = self.before.get(self.name)
            chosen = corrected(claims if isinstance(claims, list) else [], self.reading.complaints, chosen, spare)
        for count in CUTS:
            material = Material(self.layout.task, self.reading.subject, tuple(map(_as_evidence, chosen[:count])))
            value = fill(self.schema, material)
            if isinstance(value, dict) and isinstance(value.get(OPEN), list):
                value[OPEN] = unanswered(self.layout.task, self.layout.material, chosen[:count])
            yield value


@dataclass(frozen=True)
class Checker(Blind):
    """Compares claims with their quotations."""

    names: tuple[str, str, str, str]
    claims: list[dict[str, Any]]

    def answers(self, evidence: Sequence[Evidence]) -> Iterator[Any]:
        """A verdict for each claim; where they are too many, those against come first."""
        del evidence
        name, number, verdict, reason = self.names
        verdicts = [
            {number: at, verdict: supported, **({reason: why} if reason else {})}
            for at, (supported, why) in enumerate(judge(self.claims), 1)
        ]
        yield {name: verdicts}
        against = [entry for entry in verdicts if not entry[verdict]]
        yield from ({name: against[:count]} for count in CUTS)


def _as_evidence(finding: Finding) -> Evidence:
    return Evidence(finding.quote, finding.source, 1, claim=finding.claim, cite=finding.source)


def _results(messages: Sequence[Message]) -> list[dict[str, Any]] | None:
    """What the last request for further subtasks lists."""
    for message in reversed(messages):
        if isinstance(message, UserMessage) and (found := follow_up(message.text)) is not None:
            return found
    return None
