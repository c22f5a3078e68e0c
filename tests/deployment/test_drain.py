"""SIGTERM drains a worker process: no new work, calls under way are finished, and what is not is made elsewhere."""

import signal
import time

import pytest

from tests.deployment.conftest import DeployWorker, WorkerProcess
from tests.scripts.support import Cli, until
from workers.deployment import Deployment

pytestmark = pytest.mark.serial
POOLS = ("workflows", "tools")


def start_gated(user: Cli, who: str) -> str:
    """A run whose one call waits at the gate, on the worker that is there."""
    run_id = f"drain-{who}-{time.time_ns()}"
    detached = user.run("run", "gated.yaml", "--goal", who, "--id", run_id, "--detach", "--json")
    assert detached.code == 0, detached.err
    until(lambda: user.arrived(who))
    return run_id


def output_of(user: Cli, run_id: str, who: str) -> object:
    ended = user.run("run", "gated.yaml", "--goal", who, "--id", run_id, "--json")
    assert ended.code == 0, ended.err
    return ended.json()["output"]


def end_of(worker: WorkerProcess) -> int:
    worker.process.communicate(timeout=60)
    return worker.process.returncode


async def workers_of(deployment: Deployment, run_id: str) -> set[int]:
    """The processes that have worked on a run, by what its history says."""
    history = await deployment.client.get_workflow_handle(run_id).fetch_history()
    started = [
        event.workflow_task_started_event_attributes.identity or event.activity_task_started_event_attributes.identity
        for event in history.events
    ]
    return {int(identity.partition("@")[0]) for identity in started if identity}


async def test_a_draining_worker_finishes_its_call_and_takes_no_other(
    user: Cli, deploy: DeployWorker, deployment: Deployment
) -> None:
    leaving = deploy(*POOLS)
    assert leaving.ask("/readyz") == (200, "ready")
    assert leaving.probe() == 0
    first = start_gated(user, "anna")
    staying = deploy(*POOLS)
    leaving.process.send_signal(signal.SIGTERM)
    until(lambda: leaving.ask("/readyz") == (503, "draining"), 2)
    assert leaving.ask("/healthz") == (200, "draining")
    assert leaving.probe() == 1
    second = start_gated(user, "berta")
    user.open_gate("anna")
    assert end_of(leaving) == 0
    assert user.calls("berta") == 1
    user.open_gate("berta")
    assert output_of(user, first, "anna") == "anna went through"
    assert output_of(user, second, "berta") == "berta went through"
    assert (user.calls("anna"), user.calls("berta")) == (1, 1)
    assert leaving.process.pid in await workers_of(deployment, first)
    assert await workers_of(deployment, second) == {staying.process.pid}


def test_what_outlasts_the_grace_is_made_again_elsewhere(user: Cli, deploy: DeployWorker) -> None:
    leaving = deploy(*POOLS, OSTINATO_GRACE_SECONDS="0.5")
    run_id = start_gated(user, "carl")
    deploy(*POOLS)
    leaving.process.send_signal(signal.SIGTERM)
    assert end_of(leaving) == 0
    until(lambda: user.calls("carl") == 2)
    user.open_gate("carl")
    assert output_of(user, run_id, "carl") == "carl went through"
    assert user.calls("carl") == 2


def test_a_second_sigterm_ends_at_once_and_loses_nothing(user: Cli, deploy: DeployWorker) -> None:
    leaving = deploy(*POOLS, OSTINATO_GRACE_SECONDS="600")
    run_id = start_gated(user, "dora")
    deploy(*POOLS)
    leaving.process.send_signal(signal.SIGTERM)
    until(lambda: leaving.ask("/readyz") == (503, "draining"), 2)
    begun = time.monotonic()
    while leaving.process.poll() is None:  # the first half second's repetitions are an echo of the first
        leaving.process.send_signal(signal.SIGTERM)
        assert time.monotonic() - begun < 10
        time.sleep(0.1)
    assert leaving.process.returncode == 128 + signal.SIGTERM
    assert time.monotonic() - begun > 0.3
    until(lambda: user.calls("dora") == 2)
    user.open_gate("dora")
    assert output_of(user, run_id, "dora") == "dora went through"
