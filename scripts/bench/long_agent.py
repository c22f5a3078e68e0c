"""The rows about a very long agent: hundreds of turns, each a model call and a tool call, through continue-as-new.

The growth section says that a turn of a short conversation costs what the turn before did; here it is that of a long one,
over the histories of all its executions in a row.
"""

from collections.abc import Sequence

from temporalio.api.history.v1 import HistoryEvent

from activities.errors import OstinatoError
from scripts.bench.harness import Harness, Notify
from scripts.bench.histories import CONTINUED, bytes_of_turns, seconds_of_turns
from scripts.bench.rows import Row, single
from scripts.bench.scripted import Shape

PARTS = 5
"""The first and the last of so many parts of the turns are compared."""


async def long_agent_rows(harness: Harness, turns: int, notify: Notify) -> list[Row]:
    """One run.

    Raises:
        OstinatoError: it has not made all its turns.
    """
    notify(f"one agent, {turns} turns")
    batch = await harness.ours(Shape(turns=turns + 1))
    made = batch.results[0].usage
    if (made.model_calls, made.tool_calls) != (turns + 1, turns):
        raise OstinatoError(f"the bench's long agent made {made.model_calls} model calls, not {turns + 1}")
    return turn_rows(await harness.histories(batch), batch.seconds, turns)


def turn_rows(histories: Sequence[Sequence[HistoryEvent]], seconds: float, turns: int) -> list[Row]:
    """What so many turns took, in the histories of all executions in a row."""
    events: Sequence[HistoryEvent] = [event for history in histories for event in history]
    part = max(1, turns // PARTS)
    # The first turn is none like the others: its prompt is the goal.
    first, last = (2, part + 1), (turns - part + 1, turns)
    named = f"turns {last[0]}..{last[1]} / {first[0]}..{first[1]}"
    return [
        single((f"wall time, {turns} turns", "s"), seconds),
        single((f"wall time per turn, {turns} turns", "ms"), 1000 * seconds / turns),
        single(
            (f"wall time of {named}", "ratio"),
            seconds_of_turns(events, *last) / seconds_of_turns(events, *first),
            by="ratio",
        ),
        single((f"history bytes per turn, {turns} turns", "bytes"), bytes_of_turns(events, 1, turns) / turns),
        single(
            (f"history bytes of {named}", "ratio"),
            bytes_of_turns(events, *last) / bytes_of_turns(events, *first),
            by="ratio",
            target="<= 1.02",
        ),
        single(
            (f"continued as new, {turns} turns", "times"),
            sum(history[-1].event_type == CONTINUED for history in histories),
        ),
    ]
