"""A state machine of runs that fail, crash, are resumed, rewound and forked: whatever the order, nothing is paid twice, no
mail is sent twice unasked, no budget is exceeded, nobody is asked twice, and nothing is left running.

``OSTINATO_TEST_EXAMPLES`` makes more of it.
"""

import os
from collections import Counter
from dataclasses import dataclass, field
from typing import Literal

import hypothesis
import pytest
from hypothesis import HealthCheck, strategies
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test
from pydantic import JsonValue

from activities.contracts.failures import FailureKind
from tests.support.way_back import AGENTS, World
from workers.checkpoints import read_origin
from workers.lineages import members_of
from workers.rewinding import Order
from workers.server import ServerInfo
from workers.settings import Settings
from workflows.contracts import RunResult, RunStatus
from workflows.rewinds import is_within

EXAMPLES = int(os.environ.get("OSTINATO_TEST_EXAMPLES", "5"))
STEPS = 8
POINTS = ("before:1", "after:1", "answered", "after:2", "effect:send_mail", "after:4")
MAX_CRASHES = 1
"""In one example: each costs the seconds after which the server gives up on a dead worker."""

_index = strategies.integers(min_value=0, max_value=7)
_points = strategies.sampled_from(("none", *POINTS))
_values = strategies.sampled_from(["", "x", "y"])


@dataclass
class Known:
    """A run as the test knows it."""

    run_id: str
    lineage: str
    result: RunResult
    renewals: list[tuple[int, frozenset[str]]] = field(default_factory=list)
    """Number of the fresh re-run, and the steps that it kept."""

    def generation(self, agent: str) -> int:
        """Of an agent's records: the newest fresh re-run that did not keep its step."""
        return next((n for n, kept in reversed(self.renewals) if not is_within(f"flow/{agent}", kept)), 0)


class Runs(RuleBasedStateMachine):
    """The rules. ``world`` is shared: starting processes is slow."""

    world: World

    def __init__(self) -> None:
        super().__init__()
        self.runs: dict[str, Known] = {}
        self.numbers: Counter[str] = Counter()
        self.forks = 0
        self.crashes = 0
        self.paid: Counter[tuple[str, str, int, str]] = Counter()
        self.asked: Counter[tuple[str, int, str]] = Counter()
        """Lineage, generation and draft to the times that a person had to decide on it."""
        self.lost: Counter[str] = Counter()
        self.allowed: Counter[str] = Counter()
        self.limits: dict[str, int] = {}
        self.world.broken.clear()
        self.mailed_before = self.world.mails()

    @initialize(
        model_calls=strategies.integers(min_value=2, max_value=6), broken=strategies.sampled_from(["", *AGENTS])
    )
    def begin(self, model_calls: int, broken: str) -> None:
        self.world.broken.update({broken} - {""})
        seen = len(self.world.answered)
        asked = len(self.world.asked)
        run_id, result = self.world.start(model_calls, "none")
        self.limits[run_id] = model_calls
        self._settle(Known(run_id, run_id, result), seen, asked, crashed=False)

    @precondition(lambda self: any(run.result.status is RunStatus.FAILED for run in self.runs.values()))
    @rule(which=_index, mended=strategies.sampled_from([True, True, False]), point=_points)
    def resume(self, *, which: int, mended: bool, point: str) -> None:
        if mended:
            self.world.broken.clear()
        failed = [run for run in self.runs.values() if run.result.status is RunStatus.FAILED]
        run = failed[which % len(failed)]
        self._go_on(run, run.run_id, Order("resume"), run.renewals, point)

    @rule(
        which=_index,
        to=_index,
        value=_values,
        fresh=strategies.booleans(),
        repeat=strategies.booleans(),
        fork=strategies.booleans(),
        point=_points,
    )
    def rewind_or_fork(
        self, *, which: int, to: int, value: str, fresh: bool, repeat: bool, fork: bool, point: str
    ) -> None:
        run = list(self.runs.values())[which % len(self.runs)]
        versions = run.result.state
        at = to % (len(versions) + 1)
        values: dict[str, JsonValue] = {versions[at - 1].key: f"{run.run_id} {value}"} if value and at else {}
        kept = frozenset(commit.step for commit in versions[:at])
        renewals = [*run.renewals, (self.numbers[run.lineage] + 1, kept)] if fresh else run.renewals
        tools = ("send_mail",) if repeat else ()
        self.allowed[run.lineage] += repeat
        self.forks += fork
        new_id = f"{run.lineage}-f{self.forks}" if fork else ""
        kind: Literal["rewind", "fork"] = "fork" if fork else "rewind"
        order = Order(kind, str(at), values, fresh=fresh, repeat_effects=tools, new_id=new_id)
        self._go_on(run, new_id or run.run_id, order, renewals, point)

    def _go_on(
        self, run: Known, run_id: str, order: Order, renewals: list[tuple[int, frozenset[str]]], point: str
    ) -> None:
        if self.crashes >= MAX_CRASHES:
            point = "none"
        self.crashes += point != "none"
        seen, kills, asked = len(self.world.answered), self.world.kills, len(self.world.asked)
        self.numbers[run.lineage] += 1
        result = self.world.go_on(run.run_id, order, point)
        known = Known(run_id, run.lineage, result, list(renewals))
        self._settle(known, seen, asked, crashed=self.world.kills > kills)

    def _settle(self, run: Known, seen: int, asked: int, *, crashed: bool) -> None:
        """Hold the books against what the world saw."""
        self.runs[run.run_id] = run
        answers = self.world.answered[seen:]
        for agent, request in answers:
            self.paid[run.lineage, agent, run.generation(agent), request] += 1
        self.lost[run.lineage] += crashed
        draft = next((commit.digest for commit in run.result.state if commit.key == "a"), "")
        self.asked[run.lineage, run.generation("sign"), draft] += len(self.world.asked[asked:])
        assert len(answers) <= self.limits[run.lineage], "the budget was exceeded"
        assert run.result.usage.model_calls <= self.limits[run.lineage]
        failure = run.result.failure
        kinds = {FailureKind.AUTHENTICATION_FAILED, FailureKind.LIMIT_EXCEEDED, FailureKind.OUTCOME_UNKNOWN}
        assert failure is None or failure.kind in kinds, failure
        for lineage in self.limits:
            twice = sum(count - 1 for (of, *_), count in self.paid.items() if of == lineage)
            assert twice <= self.lost[lineage], "a recorded answer was paid twice"
        for to, count in (self.world.mails() - self.mailed_before).items():
            lineage = next(known.lineage for known in self.runs.values() if to)
            assert count <= 1 + self.allowed[lineage], f"{count} mails to {to}"

    def teardown(self) -> None:
        for lineage in self.limits:
            members = self.world.do(members_of(self.world.deployment.store, lineage))
            assert set(members) == {run.run_id for run in self.runs.values()}
            for member in members:
                assert self.world.do(self.world.open_executions(member)) == []
                origin = self.world.do(read_origin(self.world.deployment.client, member))
                assert origin.result is not None
                assert origin.result.state == self.runs[member].result.state
        assert all(count <= 1 for count in self.asked.values()), "a person was asked twice"


def test_runs_that_go_on_in_any_order(
    settings: Settings, server: ServerInfo, tmp_path_factory: pytest.TempPathFactory
) -> None:
    with World(settings, server, tmp_path_factory.mktemp("world")) as world:
        Runs.world = world
        run_state_machine_as_test(
            Runs,
            settings=hypothesis.settings(
                max_examples=EXAMPLES,
                stateful_step_count=STEPS,
                deadline=None,
                derandomize=True,
                database=None,
                suppress_health_check=list(HealthCheck),
                print_blob=False,
            ),
        )
