"""What a supervisor takes along when it continues as new between two rounds: its subtasks, and what became of them."""

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from pydantic import BaseModel, JsonValue

    from activities.contracts.messages import ThreadRef
    from workflows.contracts import RunResult
    from workflows.supervision.subtasks import Subtask
    from workflows.teams.tree import SubtaskSpec


class Known(BaseModel):
    """One subtask that has ended."""

    subtask_id: str
    spec: SubtaskSpec
    last: RunResult | None = None
    """What its last attempt came to, without its steps: those are in what the pattern has come to."""
    done_by: str = ""
    reason: str = ""

    @classmethod
    def of(cls, subtask: Subtask) -> "Known":
        """A subtask, as it is carried over."""
        last = subtask.tries[-1] if subtask.tries else None
        kept = {"status", "output", "failure", "short", "effects"}
        return cls(
            subtask_id=subtask.subtask_id,
            spec=subtask.spec,
            last=RunResult(**{name: getattr(last, name) for name in kept}) if last else None,
            done_by=subtask.done_by,
            reason=subtask.reason,
        )

    def again(self) -> Subtask:
        """The same subtask, on the other side."""
        return Subtask(self.subtask_id, self.spec, [self.last] if self.last else [], self.done_by, self.reason)


class Memory(BaseModel):
    """Where a supervisor stands between two rounds."""

    next_round: int = 1
    known: list[Known] = []
    missing: list[str] = []
    thread: ThreadRef | None = None
    """The planner's conversation."""

    @classmethod
    def read(cls, value: JsonValue) -> "Memory":
        """What was carried over; the beginning where nothing was."""
        return cls() if value is None else cls.model_validate(value)

    @property
    def subtasks(self) -> list[Subtask]:
        """All that have ended."""
        return [known.again() for known in self.known]


def remembered(next_round: int, done: list[Subtask], missing: list[str], thread: ThreadRef | None) -> JsonValue:
    """Where a supervisor stands, as it is carried over."""
    known = [Known.of(subtask) for subtask in done]
    memory = Memory(next_round=next_round, known=known, missing=missing, thread=thread)
    value: JsonValue = memory.model_dump(mode="json", exclude_defaults=True)
    return value
