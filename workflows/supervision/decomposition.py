"""Decomposition: the subtasks of a round, from the team, from a tool, or from a planner agent."""

from collections.abc import Sequence

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from pydantic import JsonValue, TypeAdapter, ValidationError

    from activities.errors import ConfigurationInvalid, ContractViolated, LimitExceeded
    from workflows.contracts import RunResult, RunStatus, Task
    from workflows.frame import Frame
    from workflows.nodes import run_node
    from workflows.phases import PhaseClock
    from workflows.supervision import prompts
    from workflows.supervision.dispatch import Subtask
    from workflows.teams.tree import AgentNode, CallNode, SubtaskSpec, SupervisorNode

MAX_TASK = 8000
"""Characters of a subtask."""
_subtasks = TypeAdapter(list[SubtaskSpec])


class Decomposition:
    """Where a supervisor's subtasks come from. ``results`` and ``missing`` are what it has come to itself."""

    def __init__(self, frame: Frame, node: SupervisorNode, goal: str, clock: PhaseClock) -> None:
        self._frame, self._node, self._goal, self._clock = frame, node, goal, clock
        self.results: list[RunResult] = []
        self.missing: list[str] = []

    async def subtasks(self, round_number: int, done: Sequence[Subtask]) -> list[Subtask]:
        """The subtasks of a round; none ends the work.

        Raises:
            ConfigurationInvalid: the tool's answer is no list of subtasks for these workers.
            ContractViolated: the planner has nothing to do for anybody.
            LimitExceeded: the tool wants more of them than the team allows.
            StepFailed: the planner or the tool failed.
        """
        try:
            specs = await self._specs(round_number, done)
        except StepFailed:
            if not self._clock.ran_out(self._end(round_number)):
                raise
            specs = self._instead(round_number)
        return [Subtask(f"s{round_number}-{number}", spec) for number, spec in enumerate(specs, 1)]

    async def _specs(self, round_number: int, done: Sequence[Subtask]) -> list[SubtaskSpec]:
        room = self._node.max_subtasks - len(done)
        if self._node.planner:
            return await self._plan(round_number, done, room)
        if self._node.split:
            return await self._split(round_number, done, room)
        return list(self._node.subtasks) if round_number == 1 else []

    def _instead(self, round_number: int) -> list[SubtaskSpec]:
        """Where the time for planning ran out: the goal as one subtask, or no further round."""
        if round_number > 1:
            self.missing.append(f"there was no time for round {round_number}")
            return []
        worker_type = next(iter(self._node.workers))
        self.missing.append(
            f"the planning did not end within its {self._clock.seconds[0]:g} s: the whole goal went to one {worker_type!r}"
        )
        return [SubtaskSpec(type=worker_type, task=self._goal[:MAX_TASK])]

    def _end(self, round_number: int) -> float:
        return self._clock.planning if round_number == 1 else self._clock.workers

    async def _plan(self, round_number: int, done: Sequence[Subtask], room: int) -> list[SubtaskSpec]:
        if room <= 0:
            return []
        if round_number == 1:
            prompt = prompts.for_planner(self._goal, self._node.workers, room)
        else:
            prompt = prompts.for_follow_up([subtask.report() for subtask in done], room)
        thread = self.results[-1].thread if self.results else None
        output = await self._ask(
            AgentNode(agent=self._node.planner or ""), round_number, Task(prompt=prompt, thread=thread)
        )
        # The contract made at admission has checked the shape and the types.
        specs = _read(output.get("subtasks") if isinstance(output, dict) else output)
        self._check_types(specs)
        if not specs and round_number == 1:
            raise ContractViolated(
                f"the planner {self._node.planner!r} made no subtasks",
                fix="look at its thread, and at its instructions",
            )
        if len(specs) > room:
            self.missing.append(
                f"{len(specs) - room} more subtasks were planned than max_subtasks={self._node.max_subtasks} allows"
            )
        return specs[:room]

    async def _split(self, round_number: int, done: Sequence[Subtask], room: int) -> list[SubtaskSpec]:
        node = self._node.split
        assert node  # noqa: S101 -- the caller has looked
        inputs: dict[str, JsonValue] = {
            "input": self._frame.task.inputs.get("input"),
            "round": round_number,
            "results": [subtask.whole() for subtask in done],
        }
        specs = _read(await self._ask(node, round_number, Task(prompt=self._goal, inputs=inputs)))
        self._check_types(specs)
        if len(specs) > room:
            raise LimitExceeded(
                f"{node.tool!r} makes {len(specs)} subtasks where {room} of max_subtasks={self._node.max_subtasks} are left",
                fix=f"raise max_subtasks of {self._node.name!r}, or make larger parts",
            )
        return [self._bounded(spec) for spec in specs]

    def _bounded(self, spec: SubtaskSpec) -> SubtaskSpec:
        """What a tool asks for is within what the team has said of the worker type."""
        most = self._node.workers[spec.type].attempts
        return spec.model_copy(update={"attempts": min(spec.attempts or most, most)})

    async def _ask(self, node: AgentNode | CallNode, round_number: int, task: Task) -> JsonValue:
        part = f"{'plan' if isinstance(node, AgentNode) else 'split'}-{round_number}"
        task = self._clock.bounded(task.model_copy(update={"key": part}), self._end(round_number))
        result = await run_node(self._frame.step(part), node, task)
        self.results.append(result)
        if result.status is RunStatus.FAILED or (result.status is RunStatus.PARTIAL and isinstance(node, AgentNode)):
            raise StepFailed(result)
        return result.output

    def _check_types(self, specs: Sequence[SubtaskSpec]) -> None:
        for spec in specs:
            if spec.type not in self._node.workers:
                raise ConfigurationInvalid(
                    f"there is no worker type {spec.type[:100]!r}", fix=f"known are: {', '.join(self._node.workers)}"
                )


class StepFailed(Exception):
    """A step that the pattern cannot do without failed."""

    def __init__(self, result: RunResult) -> None:
        super().__init__(result.failure.message if result.failure else "a step failed")
        self.result = result


def _read(value: JsonValue) -> list[SubtaskSpec]:
    try:
        return _subtasks.validate_python(value)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(map(str, first["loc"])) or "it"
        raise ContractViolated(
            f"the decomposition is no list of subtasks: {where}: {first['msg']}",
            fix="return a list of objects with type, task and input",
        ) from error
