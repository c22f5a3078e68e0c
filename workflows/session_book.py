"""A session's book: which messages wait, which are answered, what is used up. Plain state, no waiting.

The failure this prevents: a client that does not know whether its message arrived sends it again, and the model answers,
and acts, twice. The server knows the ids of one execution only; the book carries them over every continue-as-new.
"""

import hashlib
import json
from collections import deque
from dataclasses import dataclass

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.contracts.artifacts import ArtifactRef
    from activities.contracts.failures import FailureDetail, FailureKind, Origin
    from activities.contracts.messages import estimate_tokens
    from workflows.contracts import RunInput, RunResult, RunStatus, StepReport
    from workflows.results import of_steps, unique
    from workflows.sessions import Answered, SessionInput, SessionReply, SessionState, digest_of_text

REMEMBERED_CHARACTERS = 256 * 1024
"""Of all remembered answers together, beside their number: the state is one payload."""
MAX_STEPS = 200
_CARRIED = tuple(name for name in RunInput.model_fields if name not in {"state", "task", "node", "path"})


@dataclass(frozen=True)
class Waiting:
    """A message that is not answered yet."""

    message_id: str
    text: str


class SessionBook:
    """The state of a session in memory; ``state()`` is what is carried over."""

    def __init__(self, run: SessionInput, now: float) -> None:
        before = run.session or SessionState(started_at=now, active_at=now)
        self.run = run
        self.queue: deque[Waiting] = deque()
        self.answered = {entry.message_id: entry.reply for entry in before.answered}
        self.ended = ""
        """Why no more messages are taken; empty while they are."""
        self.halted = ""
        """The same, where the gate has ended it."""
        self._before = before
        self._forgotten = dict.fromkeys(before.forgotten)
        self._steps: deque[StepReport] = deque(before.steps, MAX_STEPS)
        self.number, self.failed, self.effects = before.number, before.failed, before.effects
        self.unlisted_effects = before.unlisted_effects
        self.usage, self.thread, self.active_at = before.usage, before.thread, before.active_at
        self._artifacts: tuple[ArtifactRef, ...] = before.artifacts

    def was_answered(self, message_id: str) -> bool:
        """Whether a message was answered, be its answer remembered or not."""
        return message_id in self.answered or _short(message_id) in self._forgotten

    @property
    def ends_at(self) -> float:
        """Workflow time at which the session ends where nobody says anything."""
        settings = self.run.settings
        return min(self.active_at + settings.idle_seconds, self._before.started_at + settings.lifetime_seconds)

    def close_when_over(self, now: float) -> None:
        """End a session whose time is over and in which nobody waits for an answer."""
        settings = self.run.settings
        if not self.ended and not self.queue and now >= self.ends_at:
            old = now >= self._before.started_at + settings.lifetime_seconds
            days = (settings.lifetime_seconds if old else settings.idle_seconds) / 86_400
            self.ended = f"it is {days:g} days old" if old else f"nobody said anything for {days:g} days"

    def run_of_message(self) -> RunInput:
        """The run that the next message is answered in: the agent may use no more than the session has left."""
        run, settings = self.run, self.run.settings
        agents = {}
        for name, spec in run.team.agents.items():
            limits = spec.limits.model_copy(
                update={
                    "tokens": max(1, min(spec.limits.tokens, settings.tokens - self.usage.tokens)),
                    "cost_usd": max(0.0, min(spec.limits.cost_usd, settings.cost_usd - self.usage.cost_usd)),
                }
            )
            agents[name] = spec.model_copy(update={"limits": limits})
        carried = {name: getattr(run, name) for name in _CARRIED}
        return RunInput(**{**carried, "team": run.team.model_copy(update={"agents": agents})})

    def settle(self, waiting: Waiting, result: RunResult, agent: str) -> None:
        """Note the answer to a message of the queue."""
        failure = self._explained(result.failure, agent)  # by what was left before it
        self.number += 1
        self.usage += result.usage
        self.effects += result.effects
        self.failed += result.status is RunStatus.FAILED
        self._steps.extend(result.steps)
        self._artifacts = unique((*self._artifacts, *result.artifacts))
        if result.status is RunStatus.COMPLETE:
            self.thread = result.thread  # what ended early may hold tool calls without results: no model would go on
        self._end_when_used_up(agent, waiting.text)
        self._note(
            waiting,
            SessionReply(
                number=self.number,
                status=result.status,
                message=digest_of_text(waiting.text),
                output=result.output,
                usage=result.usage,
                total=self.usage,
                thread=self.thread,
                artifacts=result.artifacts,
                effects=result.effects,
                missing=result.missing,
                failure=failure,
            ),
        )

    def dismiss(self, reason: str) -> None:
        """Answer all that waits: it will not be taken up."""
        while self.queue:
            detail = FailureDetail(
                kind=FailureKind.CANCELLED,
                origin=Origin.OPERATOR,
                retryable=False,
                message=f"the message was not answered: {reason}"[:1000],
                fix="start another session",
            )
            waiting = self.queue[0]
            self._note(
                waiting,
                SessionReply(
                    number=0,
                    status=RunStatus.FAILED,
                    message=digest_of_text(waiting.text),
                    total=self.usage,
                    thread=self.thread,
                    failure=detail,
                ),
            )

    def state(self) -> SessionState:
        """What a continue-as-new carries over."""
        return SessionState(
            started_at=self._before.started_at,
            active_at=self.active_at,
            number=self.number,
            failed=self.failed,
            thread=self.thread,
            usage=self.usage,
            effects=self.effects,
            unlisted_effects=self.unlisted_effects,
            answered=tuple(Answered(message_id=name, reply=reply) for name, reply in self.answered.items()),
            forgotten=tuple(self._forgotten),
            steps=tuple(self._steps),
            artifacts=self._artifacts,
        )

    def result(self) -> RunResult:
        """What the session came to. Its last answer stands in it."""
        last = next((reply.output for reply in reversed(self.answered.values()) if reply.output is not None), None)
        return of_steps(
            self._steps,
            status=RunStatus.COMPLETE,
            output={"ended": self.ended, "messages": self.number, "failed": self.failed, "last_answer": last},
            usage=self.usage,
            thread=self.thread,
            artifacts=self._artifacts,
            effects=self.effects,
            notes=(f"{self.unlisted_effects:,} more effects were made than are listed",)
            if self.unlisted_effects
            else (),
        )

    def _explained(self, failure: FailureDetail | None, agent: str) -> FailureDetail | None:
        """A failure at a limit says so where the session's was the narrower one."""
        settings, limits = self.run.settings, self.run.team.agents[agent].limits
        tokens, dollars = settings.tokens - self.usage.tokens, settings.cost_usd - self.usage.cost_usd
        if failure is None or failure.kind is not FailureKind.LIMIT_EXCEEDED:
            return failure
        if tokens >= limits.tokens and dollars >= limits.cost_usd:
            return failure
        fix = f"the session had {max(0, tokens):,} tokens and {max(0.0, dollars):.4f} USD left: start another"
        return failure.model_copy(update={"fix": fix})

    def _note(self, waiting: Waiting, reply: SessionReply) -> None:
        self.queue.remove(waiting)
        self.answered[waiting.message_id] = reply
        characters = sum(_length(reply) for reply in self.answered.values())
        while len(self.answered) > 1 and (
            len(self.answered) > self.run.settings.remembered or characters > REMEMBERED_CHARACTERS
        ):
            oldest = next(iter(self.answered))
            characters -= _length(self.answered.pop(oldest))
            self._forgotten[_short(oldest)] = None

    def _end_when_used_up(self, agent: str, said: str) -> None:
        """End the session where a next message like this one cannot be asked once, with its longest answer."""
        settings, spec, plan = self.run.settings, self.run.team.agents[agent], self.run.plans[agent]
        prompt = (self.thread.tokens if self.thread else plan.prompt_tokens) + estimate_tokens(said)
        answer = spec.limits.output_tokens
        price = min(prompt * m.input_usd_per_million + answer * m.output_usd_per_million for m in plan.models) / 1e6
        for what, used, next_one, limit in (
            ("messages", self.number, 1, settings.messages),
            ("tokens", self.usage.tokens, prompt + answer, settings.tokens),
            ("US dollars", self.usage.cost_usd, price, settings.cost_usd),
        ):
            if used + next_one > limit and not self.ended:
                self.ended = f"its limit of {limit:,g} {what} is reached"


def _length(reply: SessionReply) -> int:
    output = reply.output
    return len(output) if isinstance(output, str) else len(json.dumps(output))


def _short(message_id: str) -> str:
    return hashlib.sha256(message_id.encode("utf-8", "surrogatepass")).hexdigest()[:16]
