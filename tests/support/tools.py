"""Tools for tests, with effects that can be counted from outside: each call appends a line to a file."""

import asyncio
import os
from pathlib import Path

from activities.errors import StoreUnavailable
from activities.tools.base import NotDone, ToolContext, tool
from tests.support.crash import crash_point


def _note(kind: str, context: ToolContext, what: str) -> None:
    # Appending one short line is atomic, so processes that are killed leave whole lines.
    with Path(os.environ["OSTINATO_TEST_EFFECTS"]).open("a", encoding="utf-8") as file:
        file.write(f"{kind} {context.request_id} {what}\n")
    crash_point(f"effect:{kind}")


@tool(effect="once")
def send_mail(context: ToolContext, to: str) -> str:
    """Send a mail. Never twice."""
    _note("send_mail", context, to)
    return f"sent to {to}"


@tool(effect="idempotent")
def book_room(context: ToolContext, room: str) -> str:
    """Book a room; safe to repeat with the same request id."""
    _note("book_room", context, room)
    return f"booked {room}"


@tool(effect="read")
def add(a: float, b: float) -> float:
    """Add two numbers."""
    return a + b


@tool(effect="read")
def explode(what: str) -> str:
    """Raise an exception."""
    raise RuntimeError(f"no such thing: {what}")


@tool(effect="read", timeout_seconds=0.2)
async def sleep_long() -> str:
    """Take longer than allowed."""
    await asyncio.sleep(30)
    return "never"


@tool(effect="once", timeout_seconds=0.2)
async def send_slowly(context: ToolContext) -> str:
    """Begin an effect and not end in time."""
    _note("send_slowly", context, "-")
    await asyncio.sleep(30)
    return "never"


@tool(effect="read")
def tell(event_type: str, payload: object = None, to: str | None = None, times: int = 1) -> dict[str, object]:
    """What a peer of a network answers: events."""
    event = {"event_type": event_type, "payload": payload, **({"to": to} if to else {})}
    return {"events": [event] * times}


@tool(effect="read")
def big(size: int) -> str:
    """Return a long text."""
    return "x" * size


@tool(effect="read")
def always_wrong(output: object) -> list[str]:
    """A check that is never content."""
    return [f"not good enough: {str(output)[:20]}"]


@tool(effect="read")
def no_check(output: object) -> str:
    """A check that does not return a list."""
    return f"fine: {output}"


@tool(effect="once")
async def send_patiently(context: ToolContext) -> str:
    """An effect that takes its time, and whose interruption would be seen."""
    _note("send_patiently begun", context, "-")
    await asyncio.sleep(6)  # the work itself: longer than the latency of a cancellation, and than a deadline of 4 s
    _note("send_patiently ended", context, "-")
    return "sent"


@tool(effect="once")
async def wire(context: ToolContext, to: str) -> str:
    """An effect that a stop meets under way, and that ends well all the same."""
    _note("wire", context, to)
    await asyncio.sleep(1)  # the work itself
    return f"wired to {to}"


@tool(effect="idempotent", compensate="cancel_room")
async def reserve_somehow(context: ToolContext, room: str) -> str:
    """Reserve a room, and fail at it in the way that the room's name says."""
    if room == "refused":
        raise NotDone("there is no such room")
    _note("reserve_somehow", context, room)
    if room == "slow":
        await asyncio.sleep(30)
    raise ConnectionResetError("the connection was lost")


@tool(effect="once", compensate="refund")
def charge_somehow(context: ToolContext, amount: float) -> str:
    """Charge a card, and fail at it: at nothing before, and at anything else after."""
    if amount == 0 and os.environ.get("OSTINATO_TEST_MOOD") != "good":
        raise NotDone("nothing is charged for nothing")
    _note("charge_somehow", context, f"{amount:g}")
    if amount == 0:
        return "charged"
    raise ConnectionResetError("the connection was lost")


@tool(effect="once", timeout_seconds=4)
async def send_and_hang(context: ToolContext) -> str:
    """Begin an effect that never ends."""
    _note("send_and_hang", context, "-")
    await asyncio.sleep(30)
    return "never"


@tool(effect="read")
def echo(text: str) -> str:
    """Return the text."""
    return text


_meeting: list[int] = []


@tool(effect="read")
async def meet() -> int:
    """How many of these are under way at once."""
    _meeting.append(1)
    try:
        await asyncio.sleep(0.3)  # long enough for every other call that may come to come
        return len(_meeting)
    finally:
        _meeting.pop()


@tool(effect="read")
def split_words(goal: str, round: int, results: list[dict[str, object]]) -> list[dict[str, object]]:  # noqa: A002 -- what the pattern offers
    """A decomposition: a subtask a word, and none after the first round. It asks for more attempts than there are."""
    words = [] if round > 1 or results else goal.split()
    return [{"type": "a", "task": word, "input": len(word), "attempts": 5} for word in words]


@tool(effect="read")
def split_wrongly(goal: str) -> list[dict[str, object]]:
    """A decomposition into a type that there is not."""
    return [{"type": "zz", "task": goal}]


@tool(effect="read")
def strict_gate(draft: object, final: bool, review: object = None) -> dict[str, object]:
    """A gate that accepts what says so, and at last everything."""
    accepted = final or "good" in str(draft)
    return {"accepted": accepted, "problems": [] if accepted else ["it is not good"], "output": [draft, review, final]}


@tool(effect="read")
def closed_gate(draft: object) -> dict[str, object]:
    """A gate that lets nothing through."""
    return {"accepted": False, "problems": [f"not {draft}"]}


@tool(effect="idempotent")
def cancel_room(context: ToolContext, room: str, result: str) -> str:
    """Give a room back."""
    _note("cancel_room", context, f"{room} {result.replace(' ', '_')}")
    return f"cancelled {room}"


@tool(effect="idempotent", compensate=cancel_room)
def reserve_room(context: ToolContext, room: str, hours: int = 1) -> str:
    """Reserve a room, which can be given back."""
    _note("reserve_room", context, f"{room} {hours}")
    return f"reserved {room}"


@tool(effect="once", compensate="refund")
def charge(context: ToolContext, amount: float) -> str:
    """Charge a card. Never twice."""
    _note("charge", context, f"{amount:g}")
    return f"charged {amount:g}"


@tool(effect="once")
def refund(context: ToolContext, amount: float, currency: str = "EUR") -> str:
    """Give the money back. Never twice."""
    _note("refund", context, f"{amount:g} {currency}")
    return f"refunded {amount:g}"


@tool(effect="idempotent")
def withdraw(context: ToolContext, letter: str) -> str:
    """Cannot get a letter back."""
    _note("withdraw", context, letter)
    raise RuntimeError("the post is gone")


@tool(effect="idempotent", compensate=withdraw)
def post(context: ToolContext, letter: str) -> str:
    """Send a letter, which cannot be got back."""
    _note("post", context, letter)
    return f"posted {letter}"


@tool(effect="idempotent")
async def unlock_slowly(context: ToolContext, door: str) -> str:
    """Unlock a door, and take one's time."""
    _note("unlock begun", context, door)
    # The work itself: longer than the latency of a cancellation.
    await asyncio.sleep(30 if os.environ.get("OSTINATO_TEST_MOOD") == "bad" else 1.5)
    _note("unlock ended", context, door)
    return "open"


@tool(effect="idempotent", compensate=unlock_slowly)
def lock(context: ToolContext, door: str) -> str:
    """Lock a door."""
    _note("lock", context, door)
    return "locked"


@tool(effect="idempotent")
def store_away(context: ToolContext, what: str) -> str:
    """Does it, and the worker can never say so."""
    _note("stored", context, what)
    raise StoreUnavailable("the store does not answer")


@tool(effect="read")
def moody(what: str) -> str:
    """Works, or does not."""
    mood = os.environ.get("OSTINATO_TEST_MOOD", "good")
    if mood != "good":
        raise RuntimeError(f"not in the mood for {what}")
    return f"{mood}: {what}"
