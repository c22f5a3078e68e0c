"""Decomposition: the subtasks of a round, from the team, from a tool, or from a planner agent."""

from collections.abc import Callable, Sequence

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from pydantic import JsonValue, TypeAdapter, ValidationError

    from activities.contracts.messages import ThreadRef
    from activities.errors import ConfigurationInvalid, ContractViolated, LimitExceeded, OstinatoError
    from workflows.contracts import RunStatus
    from workflows.failures import failure_of
    from workflows.part_asks import Ask, PartFailed
    from workflows.supervision import prompts
    from workflows.supervision.lead import Lead
    from workflows.supervision.subtasks import Subtask
    from workflows.teams.kinds.supervisor import planned
    from workflows.teams.tree import SubtaskSpec

MAX_TASK = 8000
"""Characters of a subtask."""
_subtasks = TypeAdapter(list[SubtaskSpec])

Specs = list[SubtaskSpec]


class Decomposition:
    """Where a supervisor's subtasks come from."""

    def __init__(self, lead: Lead) -> None:
        self._lead, self._work, self._node, self._clock = lead, lead.work, lead.node, lead.clock
        self.thread: ThreadRef | None = None
        """The planner's conversation."""

    async def subtasks(self, round_number: int, done: Sequence[Subtask]) -> list[Subtask]:
        """The subtasks of a round; none ends the work. What cannot be used goes to the person of ``escalate``.

        Raises:
            PartFailed: the planner or the tool failed, or there is nothing that can be done in what they said.
        """
        room = self._node.max_subtasks - len(done)
        try:
            if self._node.planner:
                specs = await self._plan(round_number, done, room) if room > 0 else []
            elif self._node.split:
                specs = await self._split(round_number, done, room)
            else:
                specs = list(self._node.subtasks) if round_number == 1 else []
        except PartFailed:
            if not self._clock.ran_out(self._end(round_number)):
                raise
            specs = self._instead(round_number)
        return [Subtask(f"s{round_number}-{number}", spec) for number, spec in enumerate(specs, 1)]

    async def _plan(self, round_number: int, done: Sequence[Subtask], room: int) -> Specs:
        if round_number == 1:
            prompt = prompts.for_planner(self._work.goal, self._node.workers, room, tells_goal=self._lead.tells_goal)
        else:
            prompt = prompts.for_follow_up([subtask.report() for subtask in done], room)
        given = self._work.given if round_number == 1 else None
        ask = self._lead.ask(prompt, self._end(round_number), thread=self.thread, given=given)

        def read(output: JsonValue) -> Specs:
            # The contract made at admission has checked the shape and the types.
            specs = self._known(_read(output.get("subtasks") if isinstance(output, dict) else output))
            if not specs and round_number == 1:
                raise ContractViolated(
                    f"the planner {self._node.planner!r} made no subtasks",
                    fix="look at its thread, and at its instructions",
                )
            return specs

        specs = await self._asked("planner", f"plan-{round_number}", ask, read)
        if len(specs) > room:
            self._work.missing.append(
                f"{len(specs) - room} more subtasks were planned than max_subtasks={self._node.max_subtasks} allows"
            )
        return specs[:room]

    async def _split(self, round_number: int, done: Sequence[Subtask], room: int) -> Specs:
        inputs: dict[str, JsonValue] = {
            "input": self._work.given,
            "round": round_number,
            "results": [subtask.whole() for subtask in done],
        }
        ask = self._lead.ask(self._work.goal, self._end(round_number), inputs=inputs)

        def read(output: JsonValue) -> Specs:
            specs = self._known(_read(output.get("subtasks") if isinstance(output, dict) else output))
            if len(specs) > room:
                tool = self._node.split.tool if self._node.split else ""
                raise LimitExceeded(
                    f"{tool!r} makes {len(specs)} subtasks where {room} of max_subtasks={self._node.max_subtasks} are left",
                    fix=f"raise max_subtasks of {self._node.name!r}, or make larger parts",
                )
            return [self._bounded(spec) for spec in specs]

        return await self._asked("split", f"split-{round_number}", ask, read)

    async def _asked(self, part: str, step: str, ask: Ask, read: Callable[[JsonValue], Specs]) -> Specs:
        """What a planner or a tool answers; where that failed, or cannot be used, what a person does."""
        place = self._lead.place(part)
        result = await self._work.run(place, step, ask, escalate=False)
        self.thread = result.thread or self.thread
        if result.status is not RunStatus.FAILED:
            try:
                return read(result.output)
            except OstinatoError as error:
                failure = failure_of(error, agent=self._node.name, step=self._work.frame.step(step).path)
                result = result.model_copy(update={"status": RunStatus.FAILED, "output": None, "failure": failure})
        if self._clock.ran_out(ask.until):
            raise PartFailed(result)
        said = await self._work.escalated(place, step, ask, result, answers=planned(self._node))
        if said.status is RunStatus.FAILED:
            raise PartFailed(said)
        return read(said.output)

    def _instead(self, round_number: int) -> Specs:
        """Where the time for planning ran out: the goal as one subtask, or no further round."""
        if round_number > 1:
            self._work.missing.append(f"there was no time for round {round_number}")
            return []
        worker_type = next(iter(self._node.workers))
        self._work.missing.append(
            f"the planning did not end within its {self._clock.seconds[0]:g} s: the whole goal went to one {worker_type!r}"
        )
        return [SubtaskSpec(type=worker_type, task=self._work.goal[:MAX_TASK])]

    def _end(self, round_number: int) -> float:
        return self._clock.planning if round_number == 1 else self._clock.workers

    def _bounded(self, spec: SubtaskSpec) -> SubtaskSpec:
        """What a tool asks for is within what the team has said of the worker type."""
        most = self._node.workers[spec.type].attempts
        return spec.model_copy(update={"attempts": min(spec.attempts or most, most)})

    def _known(self, specs: Specs) -> Specs:
        for spec in specs:
            if spec.type not in self._node.workers:
                raise ConfigurationInvalid(
                    f"there is no worker type {spec.type[:100]!r}", fix=f"known are: {', '.join(self._node.workers)}"
                )
        return specs


def _read(value: JsonValue) -> Specs:
    try:
        return _subtasks.validate_python(value)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(map(str, first["loc"])) or "it"
        raise ContractViolated(
            f"the decomposition is no list of subtasks: {where}: {first['msg']}",
            fix="return a list of objects with type, task and input",
        ) from error
