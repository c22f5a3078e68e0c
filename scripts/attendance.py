"""One run, attended by a command: started or found, served where nobody else does, and followed to its end."""

import asyncio
from contextlib import AsyncExitStack

from temporalio.exceptions import WorkflowAlreadyStartedError
from temporalio.service import RPCError, RPCStatusCode

from activities.contracts.profile import ModelChoice
from activities.errors import ConfigurationInvalid
from scripts.following import Follower
from scripts.lookup import is_running
from scripts.plan import Plan, differences
from scripts.results import EXIT_CODES, OFFLINE_LABEL, print_result, save_result
from scripts.session import Session, check_keys, leave_at_second_interrupt, pools_of, serve_here, unserved
from scripts.terminal import Output
from workers.admission import admit
from workers.registration import bind_store
from workers.runs import RECONNECT_SECONDS, RunHandle, read_input, start_run
from workers.spent import with_spent
from workflows.contracts import RunInput, RunResult


class Attendance:
    """One run, attended by this command from its start, or from where it is, to its end."""

    def __init__(self, session: Session, plan: Plan, output: Output, stack: AsyncExitStack) -> None:
        self._session = session
        self._plan = plan
        self._output = output
        self._stack = stack
        self._serves = False

    async def attend(self, *, look: bool) -> int:
        """To the end of the run; the exit code. ``look`` says that a run of this id may be there already."""
        run_id, client = self._plan.order.run_id, self._session.client
        run = await find_input(self._session, run_id) if look else None
        if run is None:
            pools = pools_of(self._plan.queues)
            await self.serve(pools)
            run, handle = await start(self._session, self._plan)
            self._introduce(run, "started")
        else:
            note_differences(self._plan, run, self._output)
            handle = client.get_workflow_handle(run_id, result_type=RunResult)
            pools = pools_of(run.queues)
            if is_running(await handle.describe()):
                await self.serve(pools)
                self._introduce(run, "attached to")
            else:
                self._introduce(run, "ended already:")
                pools = []
        return await self._to_its_end(run, handle, pools, again=f"the same command with --id {run_id}")

    async def go_on(self, run: RunInput, handle: RunHandle, what: str) -> int:
        """To the end of a run that ``serve`` was called for already, and that was started, or is under way."""
        self._introduce(run, what)
        return await self._to_its_end(run, handle, pools_of(run.queues), again=f"`ostinato resume {run.workflow_id}`")

    async def _to_its_end(self, run: RunInput, handle: RunHandle, pools: list[str], *, again: str) -> int:
        run_id, client = run.workflow_id, self._session.client
        follower = Follower(self._session, handle, self._output, self._stack, serves=self._serves)
        try:
            result = await with_spent(client, run, await follower.to_end(pools))
        except asyncio.CancelledError:
            self._leave(run_id, again, serves=follower.serves)
            raise
        except RPCError as error:
            if error.status not in {RPCStatusCode.UNAVAILABLE, RPCStatusCode.DEADLINE_EXCEEDED}:
                raise
            raise ConfigurationInvalid(
                f"the Temporal server has not answered for {RECONNECT_SECONDS:.0f} s; the run stays as it is",
                fix=f"{again} goes on with it, and starts a dev server that was killed",
            ) from error
        artifacts = await save_result(self._session.deployment, run, result, self._output)
        print_result(run, result, artifacts, self._output)
        if self._session.server.origin == "started":
            self._output.note("the server and its UI end with this command; `ostinato up` keeps them, with all runs")
        return EXIT_CODES[result.status]

    async def serve(self, pools: list[str]) -> None:
        """Make sure that somebody works on the run: a deployment, or else this process."""
        deployment = self._session.deployment
        await bind_store(deployment.client, deployment.store)
        if not await unserved(deployment.client, pools):
            return
        check_keys(deployment.settings, pools)
        await serve_here(self._stack, deployment, pools)
        self._serves = True

    def _introduce(self, run: RunInput, what: str) -> None:
        self._output.note(f"{what} run {run.workflow_id}")
        if url := self._session.ui_of(run.workflow_id):
            self._output.note(f"watch it: {url}")
        for name, plan in run.plans.items():
            chosen = {f"{choice.provider}:{choice.model}": choice for choice in self._plan.models.get(name, ())}
            said = [_describe(route.model, chosen.get(route.model)) for route in plan.models]
            if said:
                self._output.note(f"{name}: {', then '.join(said)}")

    def _leave(self, run_id: str, again: str, *, serves: bool) -> None:
        if serves:
            leave_at_second_interrupt()
            self._output.note(f"interrupted: the run stays as it is; {again} goes on with it")
            self._output.note(
                f"ending: calls under way have {self._session.deployment.settings.grace_seconds:g} s; Ctrl-C ends it at once"
            )
        else:
            self._output.note(f"the run goes on without this command; {again} attaches, ostinato stop {run_id} ends it")


def _describe(model: str, choice: ModelChoice | None) -> str:
    if model.startswith("offline:"):
        return OFFLINE_LABEL
    return f"{model}, price unknown" if choice and not choice.priced else model


def note_differences(plan: Plan, run: RunInput, output: Output) -> None:
    """Say what of this order is not what the run was started with."""
    if different := differences(plan, run):
        given = " and ".join(different)
        output.note(f"note: the run {run.workflow_id} was started with {given}; what is given now is not used")


async def find_input(session: Session, run_id: str) -> RunInput | None:
    """What the run of this id was started with; None where there is no such run."""
    try:
        return await read_input(session.client, run_id)
    except RPCError as error:
        if error.status is RPCStatusCode.NOT_FOUND:
            return None
        raise


async def start(session: Session, plan: Plan) -> tuple[RunInput, RunHandle]:
    """Upload the input and start the run."""
    run = await admit(session.deployment, plan.team, plan.order)
    try:
        return run, await start_run(session.client, run)
    except WorkflowAlreadyStartedError as error:
        raise ConfigurationInvalid(
            f"a run {plan.order.run_id!r} was started and ended in this moment", fix="run the same command again"
        ) from error
