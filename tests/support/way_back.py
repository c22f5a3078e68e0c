"""A small world for the state machine of runs, rewinds and forks: a worker process that can be killed, a model whose
requests are counted, a mailbox, and a person who approves. Its methods wait for what they begin."""

import asyncio
import hashlib
import json
import os
import signal
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Coroutine
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self, TypeVar

from temporalio.client import WorkflowFailureError, WorkflowHandle, WorkflowUpdateFailedError
from temporalio.service import RPCError

from activities.contracts.people import Choice, DecideRequest, HumanDecision
from tests.conftest import new_run_id
from tests.providers.fake_openai import FakeOpenAI, Reply, answer, text
from tests.support.lineages import started
from workers.admission import RunOrder, admit
from workers.deployment import Deployment
from workers.executions import executions_of
from workers.registration import bind_store, register_search_attributes
from workers.rewinding import Order
from workers.runs import RunHandle, read_result, start_run
from workers.server import ServerInfo
from workers.settings import Settings
from workflows.contracts import RunInput, RunResult
from workflows.teams.tree import TeamSpec

T = TypeVar("T")
SECONDS = 60.0
AGENTS = ("a", "post", "c")
SIGNS = "sign"


def team(model_calls: int) -> TeamSpec:
    """Draft, approval, mail, end; so many model calls for the whole of a run."""
    agents: dict[str, dict[str, Any]] = {
        name: {"instructions": name, "tier": "small", "limits": {"model_calls": 4}} for name in AGENTS
    }
    agents["post"]["tools"] = ["send_mail"]
    person: dict[str, Any] = {
        "kind": "person",
        "name": SIGNS,
        "question": "May it be sent?",
        "choices": ["approve", "reject"],
    }
    person["asking"] = {"people": ["ann"], "seconds": 120}
    draft, post, end = ({"kind": "agent", "agent": name} for name in AGENTS)
    root: dict[str, Any] = {"kind": "pipeline", "name": "flow", "stages": [draft, person, post, end]}
    root["budget"] = {"model_calls": model_calls}
    return TeamSpec.model_validate({"team": "flow", "agents": agents, "root": root})


@dataclass
class World:
    """All of it. Enter it from a thread without an event loop."""

    settings: Settings
    server: ServerInfo
    folder: Path
    broken: set[str] = field(default_factory=set)
    """Agents whose key is wrong."""
    answered: list[tuple[str, str]] = field(default_factory=list)
    """Agent and hash of the request, one entry each answer that a model gave."""
    asked: list[str] = field(default_factory=list)
    """The human task, one entry each decision that no record has answered."""
    kills: int = 0

    def __enter__(self) -> Self:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._fake = FakeOpenAI(respond=self._respond).__enter__()
        self._worker: subprocess.Popen[bytes] | None = None
        self.deployment = self._do(self._connect())
        self.serve()
        return self

    def __exit__(self, *_: object) -> None:
        self._kill()
        self._fake.__exit__(None, None, None)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    def start(self, model_calls: int, point: str) -> tuple[str, RunResult]:
        """A new run to its end; its id."""
        order = RunOrder(goal=new_run_id(), run_id=new_run_id(), provider="openai")

        async def begin() -> tuple[RunInput, RunHandle]:
            run = await admit(self.deployment, team(model_calls), order)
            return run, await start_run(self.deployment.client, run)

        return order.run_id, self._to_its_end(begin(), point)

    def go_on(self, run_id: str, order: Order, point: str) -> RunResult:
        """A run that goes on from another, to its end."""
        return self._to_its_end(started(self.deployment, run_id, order), point)

    def do(self, work: Coroutine[Any, Any, T]) -> T:
        """Wait for anything else."""
        return self._do(work)

    @property
    def _point(self) -> Path:
        return self.folder / "point"

    def mails(self) -> Counter[str]:
        """To whom how many mails were sent."""
        path = self.folder / "effects.txt"
        lines = path.read_text().splitlines() if path.exists() else []
        return Counter(line.split(" ", 2)[2] for line in lines if line.startswith("send_mail "))

    async def open_executions(self, run_id: str) -> list[str]:
        """What of a run has not ended."""
        client, found = self.deployment.client, []
        for workflow_id, execution in await executions_of(client, run_id):
            described = await client.get_workflow_handle(workflow_id, run_id=execution).describe()
            if described.close_time is None:
                found.append(workflow_id)
        return found

    def serve(self) -> None:
        """A worker process; it kills itself where ``point`` says, once."""
        self._kill()
        environment = {
            **os.environ,
            "OSTINATO_HOME": str(self.settings.home),
            "OSTINATO_TOOL_MODULES": "tests.support.tools",
            "OSTINATO_TEST_EFFECTS": str(self.folder / "effects.txt"),
            "OSTINATO_TEST_CRASH": f"@{self._point}",
            "TEMPORAL_ADDRESS": self.server.address,
            "OPENAI_BASE_URL": self._fake.base_url,
            "OPENAI_API_KEY": "test-key",
        }
        command = [sys.executable, "-m", "tests.support.crash"]
        self._worker = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)

    def _to_its_end(self, beginning: Coroutine[Any, Any, tuple[RunInput, RunHandle]], point: str) -> RunResult:
        if point != "none":
            self._point.write_text(point)
        try:
            return self._do(self._attend(beginning))
        finally:
            self._point.unlink(missing_ok=True)

    async def _attend(self, beginning: Coroutine[Any, Any, tuple[RunInput, RunHandle]]) -> RunResult:
        """Bring the run to its end: the dead worker is replaced, and whoever is asked approves."""
        since = datetime.now(UTC)
        _, handle = await beginning
        ending = asyncio.ensure_future(read_result(handle))
        try:
            async with asyncio.timeout(SECONDS):
                while not ending.done():
                    await asyncio.wait({ending}, timeout=0.05)
                    if self._worker and self._worker.poll() is not None:
                        assert self._worker.returncode == -signal.SIGKILL, self._worker.returncode
                        self.kills += 1
                        self.serve()
                    await self._approve(handle.id)
            await self._note_asked(handle.id, since)
            return ending.result()
        finally:
            ending.cancel()

    async def _approve(self, run_id: str) -> None:
        """Say yes where somebody is asked."""
        handle = self._task(run_id)
        with suppress(RPCError, WorkflowUpdateFailedError):
            described = await handle.describe()
            if described.close_time is None:
                request = DecideRequest(by="ann", choice=Choice.APPROVE)
                await handle.execute_update("decide", request, id=f"{described.run_id}")

    async def _note_asked(self, run_id: str, since: datetime) -> None:
        """Note whom this run has asked, if it came so far."""
        handle = self._task(run_id)
        with suppress(RPCError, WorkflowFailureError):
            if (await handle.describe()).start_time >= since:
                decision: HumanDecision = await handle.result()
                if not decision.from_record:
                    self.asked.append(decision.task_id)

    def _task(self, run_id: str) -> WorkflowHandle[Any, HumanDecision]:
        task_id = f"{run_id}~flow~{SIGNS}~ask"
        return self.deployment.client.get_workflow_handle(task_id, result_type=HumanDecision)

    def _respond(self, body: dict[str, Any]) -> Reply:
        messages = body["messages"]
        agent = str(messages[0]["content"])
        if agent in self.broken:
            return Reply(b'{"error": {"message": "wrong key"}}', status=401)
        self.answered.append((agent, _hash(body)))
        given = _hash(messages[1]["content"])[:6]
        if agent == "post" and not any(message["role"] == "tool" for message in messages):
            to = f"{str(messages[1]['content']).split()[0]}-{given}"
            return answer(None, (("send_mail", json.dumps({"to": to}), "c1"),))
        return text(f"{agent}:{given}")

    async def _connect(self) -> Deployment:
        deployment = await Deployment.connect(self.settings, address=self.server.address)
        await register_search_attributes(deployment.client)
        await bind_store(deployment.client, deployment.store)
        return deployment

    def _do(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(SECONDS + 10)

    def _kill(self) -> None:
        if self._worker:
            self._worker.kill()
            self._worker.wait(10)


def _hash(value: object) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:16]
