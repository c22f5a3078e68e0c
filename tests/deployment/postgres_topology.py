"""Tries the deployment's topology without containers: a run goes on while its workers and its server are killed.

The Temporal server on a real PostgreSQL, two worker processes for each pool, and ``ostinato run`` as their client. A
call or a workflow task is known to be with a worker when that worker dies, because both of its pool are frozen while
the run starts: no race decides what is tested. Teams named on the command line are run, too, on the README, once in peace
and once while a process is killed every fifth of a second. By hand, from the project's root folder, in about a minute::

    .venv/bin/python -m tests.deployment.postgres_topology [TEAM...]
"""

import asyncio
import itertools
import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from temporalio.api.enums.v1 import PendingActivityState, PendingWorkflowTaskState
from temporalio.client import Client

from tests.deployment.stack import ROOT, START_SECONDS, Missing, Stack, end, find_programs, running_stack, wait
from tests.scripts.support import ASK, DEADLINE, QUESTION, Cli

RUN_ENDED = (0, 1, 3)
"""Exit codes of runs that came to an end, whatever they found."""
POOLS = ("workflows", "tools", "models-offline")
ACTIVITIES = {"tools": "tool.call", "models-offline": "model.call"}
ANY = "any"
PER_POOL = 2


STORM = 8
"""How many processes a storm kills, one each STORM_SECONDS, in turn of each pool and the server."""
STORM_SECONDS = 0.2

Run = subprocess.Popen[str]
Disturb = Callable[[str, Run], None]


@dataclass(frozen=True)
class Outcome:
    """What one run said."""

    code: int
    output: Any
    files: dict[str, str]
    """What its artifacts hold, by name."""


@dataclass(frozen=True)
class Order:
    """What is asked for."""

    team: Path = ASK
    goal: str = QUESTION
    folder: str | Path = "documents"


class Fleet:
    """The worker processes, and the user whose runs they serve."""

    def __init__(self, stack: Stack, exits: ExitStack) -> None:
        self._stack = stack
        self._exits = exits
        store = (stack.folder / "store").as_uri()
        extra = {"TEMPORAL_ADDRESS": stack.address, "OSTINATO_STORE": store, "OSTINATO_HEALTH_ADDRESS": "127.0.0.1:0"}
        self.user = Cli(stack.folder / "user", extra)
        self.workers: dict[str, list[subprocess.Popen[str]]] = {pool: [] for pool in POOLS}

    def fill(self) -> None:
        """Start what is missing of two workers for each pool, as a restart policy would."""
        started = []
        for pool, workers in self.workers.items():
            workers[:] = [worker for worker in workers if worker.poll() is None]
            for _ in range(PER_POOL - len(workers)):
                worker = self.user.start("worker", pool, "--json")
                self._exits.callback(_close, worker)
                workers.append(worker)
                started.append(worker)
        for worker in started:
            assert worker.stdout
            assert worker.stdout.readline(), "a worker did not start"

    @contextmanager
    def frozen(self, pool: str) -> Iterator[list["subprocess.Popen[str]"]]:
        """A pool whose workers hold what they are given; who is alive at the end goes on."""
        for worker in self.workers[pool]:
            worker.send_signal(signal.SIGSTOP)
        try:
            yield self.workers[pool]
        finally:
            for worker in self.workers[pool]:
                if worker.poll() is None:
                    worker.send_signal(signal.SIGCONT)

    def run(self, run_id: str, disturb: Disturb | None = None, order: Order | None = None) -> tuple[Outcome, float]:
        """One run, disturbed on the way: what it said, and in how many seconds."""
        order, begun = order or Order(), time.monotonic()
        options = ["--goal", order.goal, "--input", order.folder, "--id", run_id, "--json"]
        process = self.user.start("run", order.team, *options)
        try:
            if disturb:
                disturb(run_id, process)
            out, err = process.communicate(timeout=DEADLINE)
        finally:
            _close(process)
        assert process.returncode in RUN_ENDED, err
        value = json.loads(out)
        assert "artifacts" in value, err
        paths = [self.user.folder / path for path in value["artifacts"] if not path.endswith("result.json")]
        files = {path.name: path.read_text(encoding="utf-8").replace(run_id, "RUN") for path in paths}
        return Outcome(process.returncode, value["output"], files), time.monotonic() - begun

    def holder(self, run_id: str, pool: str) -> int:
        """The process that has been given something of this run in this pool; 0 where nobody has yet."""
        return asyncio.run(_holder(self._stack.address, run_id, pool))


def tried(say: Callable[[str], None], *, short: bool = False, teams: Sequence[Path] = ()) -> dict[str, float]:
    """The whole trial, or of the kills those of one pool; seconds by what was tried.

    Raises:
        Missing: a program is not there.
        AssertionError: a disturbed run did not say the same.
    """
    took: dict[str, float] = {}
    programs, begun = find_programs(may_build=True), time.monotonic()
    with ExitStack() as exits:
        stack = exits.enter_context(running_stack(programs))
        took["PostgreSQL, schema twice, server"] = time.monotonic() - begun
        say(f"server at {stack.address}, data in {stack.folder}")
        fleet, begun = Fleet(stack, exits), time.monotonic()
        fleet.fill()
        took["six workers"] = time.monotonic() - begun
        calm, _ = fleet.run("calm-0")
        assert calm.code == 0
        again, took["a run"] = fleet.run("calm-1")
        assert again == calm
        say(f"undisturbed: {calm.output['answer']!r} in {took['a run']:.1f} s")
        pools = ("tools",) if short else POOLS
        for what, disturb in (*_kills(fleet, pools), *_restarts(fleet, stack, pools)):
            outcome, took[what] = fleet.run(f"killed-{len(took)}", disturb)
            assert outcome == calm, what
            say(f"{what}: same answer, in {took[what]:.1f} s")
            fleet.fill()
        for team in teams:
            order = Order(team.absolute(), "What happens when a worker is killed?", ROOT / "README.md")
            calm, took[f"{team.stem}, undisturbed"] = fleet.run(f"{team.stem}-calm", order=order)
            outcome, took[f"{team.stem}, in a storm"] = fleet.run(
                f"{team.stem}-storm", _storm(fleet, stack, say), order
            )
            assert outcome == calm, team
            files = ", ".join(f"{name} of {len(text)} characters" for name, text in calm.files.items())
            say(f"{team.stem}: exit code {calm.code}, {files}, the same in a storm")
    return took


def _kills(fleet: Fleet, pools: Sequence[str]) -> list[tuple[str, Disturb]]:
    def killing(pool: str) -> Disturb:
        def kill(run_id: str, run: Run) -> None:
            del run
            with fleet.frozen(pool) as workers:
                wait(lambda: fleet.holder(run_id, pool), f"a task of {pool}")
                holder = fleet.holder(run_id, pool)
                # Who holds a workflow task is not told: one of two dies, and the other goes on either way.
                _kill(next((worker for worker in workers if worker.pid == holder), workers[0]))

        return kill

    return [(f"a worker of {pool} killed", killing(pool)) for pool in pools]


def _restarts(fleet: Fleet, stack: Stack, pools: Sequence[str]) -> list[tuple[str, Disturb]]:
    def killing(pool: str) -> Disturb:
        def kill(run_id: str, run: Run) -> None:
            del run
            with fleet.frozen(pool):
                wait(lambda: fleet.holder(run_id, pool), f"a task of {pool}")
                stack.kill_server()
            stack.start_server()

        return kill

    return [(f"the server killed while {pool} had a call", killing(pool)) for pool in pools if pool in ACTIVITIES]


def _storm(fleet: Fleet, stack: Stack, say: Callable[[str], None]) -> Disturb:
    def rage(run_id: str, run: Run) -> None:
        wait(lambda: fleet.holder(run_id, ANY), "the run's first task")
        for killed, victim in enumerate(itertools.islice(itertools.cycle((*POOLS, "server")), STORM)):
            with suppress(subprocess.TimeoutExpired):
                run.wait(STORM_SECONDS)
                say(f"{run_id}: ended after {killed} kills")
                return
            if victim == "server":
                stack.kill_server()
                stack.start_server()
                fleet.fill()
            else:
                _kill(fleet.workers[victim][0])
        say(f"{run_id}: outlived {STORM} kills")

    return rage


def _kill(worker: Run) -> None:
    worker.kill()
    worker.wait()


async def _holder(address: str, run_id: str, pool: str) -> int:
    async with asyncio.timeout(START_SECONDS):
        client = await Client.connect(address)
        try:
            described = (await client.get_workflow_handle(run_id).describe()).raw_description
        except Exception as error:
            if "not found" in str(error).lower():
                return 0  # the run is still being uploaded
            raise
    if pool == ANY:
        return -1
    if pool == "workflows":
        task = described.pending_workflow_task
        return -1 if task.state == PendingWorkflowTaskState.PENDING_WORKFLOW_TASK_STATE_STARTED else 0
    for call in described.pending_activities:
        if (
            call.activity_type.name == ACTIVITIES[pool]
            and call.state == PendingActivityState.PENDING_ACTIVITY_STATE_STARTED
        ):
            return int(call.last_worker_identity.partition("@")[0])
    return 0


def _close(process: "subprocess.Popen[str]") -> None:
    process.send_signal(signal.SIGCONT)
    end(process)
    for pipe in (process.stdin, process.stdout, process.stderr):
        if pipe and not pipe.closed:
            pipe.close()


if __name__ == "__main__":
    try:
        measured = tried(lambda text: print(f"  {text}", flush=True), teams=[Path(name) for name in sys.argv[1:]])
    except Missing as error:
        sys.exit(f"not tried: this machine has no {error}")
    width = max(map(len, measured))
    print("\n".join(f"{what:<{width}}  {seconds:6.1f} s" for what, seconds in measured.items()))
