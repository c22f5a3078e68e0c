"""What a part of a pattern is to do, and the failure of one that the pattern cannot do without."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from pydantic import JsonValue

    from activities.contracts.messages import ThreadRef
    from workflows.contracts import RunResult, Task
    from workflows.deadlines import within
    from workflows.fallbacks import MAX_REASONS
    from workflows.stages import shown
    from workflows.teams.tree import Node


@dataclass(frozen=True)
class Ask:
    """What a part is to do."""

    prompt: str = ""
    """What an agent is told first; the pattern's goal where empty."""
    given: JsonValue = None
    """What it is to work on: below an agent's prompt, ``$input`` of calls, the input of patterns."""
    inputs: Mapping[str, JsonValue] = field(default_factory=dict)
    """What else calls may name."""
    key: str | None = None
    """Under which its output is committed; the step's name where absent."""
    goal: str = ""
    """What a nested pattern works towards; the prompt where empty."""
    material: JsonValue = None
    """What a nested pattern is given where an agent reads that in its prompt; ``given`` where absent."""
    seconds: float | None = None
    """Bound of the step, beside its node's own and the pattern's."""
    until: float | None = None
    """Workflow time at which it has to have ended; whoever it is put to then has the pattern's own time."""
    person_until: float | None = None
    """The same for that person, where what comes after needs the rest of the pattern's time."""
    draft: bool = False
    """Whether ``given`` can be passed on as it is: only then a person may approve it, or edit it."""
    punctual: bool = False
    """At its end nothing is waited for that has no effect."""
    subtask_id: str = ""
    """Where an answer names a ``subtask_id``, it has to be this one."""
    thread: ThreadRef | None = None
    """The conversation that goes on; a new one begins where absent."""
    offer_tools: bool = True
    """``False``: an agent answers from what it is told."""
    node: Node | None = None
    """In place of the part's own, such as the same agent on another tier."""
    reasons: tuple[str, ...] = ()
    """What led to it, one sentence each; a person reads them."""
    accept: Callable[[RunResult], RunResult] = lambda result: result
    """What the pattern makes of it besides: where that is a failure, the fallback stands in, and ``escalate`` after it."""
    commits: bool = True
    """``False``: the output is not committed to the run's state, unless the pattern does so (``commit``)."""

    def for_pattern(self) -> "Ask":
        """The same for a nested pattern: what a prompt says to an agent is no input to work on."""
        if self.material is None:
            return self
        inputs = {**self.inputs, "input": self.material}
        return replace(self, prompt=self.goal or self.prompt, given=self.material, inputs=inputs)

    def task(self, step: str, goal: str) -> Task:
        """The task of the step: the pattern's goal where nothing else is said."""
        prompt = self.prompt or goal
        task = Task(
            prompt=str(shown(prompt, self.given)),
            goal=str(self.goal or prompt),
            inputs={"input": self.given, **self.inputs},
            key=self.key or (step if self.commits else None),
            thread=self.thread,
            offer_tools=self.offer_tools,
            seconds=self.seconds,
            reasons=self.reasons[-MAX_REASONS:],
            punctual=self.punctual,
            subtask_id=self.subtask_id,
        )
        return within(task, self.until)


class PartFailed(Exception):
    """A part that the pattern cannot do without failed; ``result`` is what it had come to."""

    def __init__(self, result: RunResult) -> None:
        super().__init__(result.failure.message if result.failure else "a part failed")
        self.result = result
