"""What a network comes to: its output, what of it is missing, and what ended it too early."""

from collections import Counter

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from pydantic import JsonValue

    from activities.contracts.events import Event
    from activities.errors import LimitExceeded, OstinatoError
    from workflows.networking import prompts
    from workflows.networking.exchange import MAX_BYTES, Exchange
    from workflows.networking.memory import EventRecord
    from workflows.part_asks import Ask
    from workflows.pattern_work import PatternWork
    from workflows.teams.tree import NetworkNode


async def output_of(work: PatternWork[NetworkNode], exchange: Exchange) -> JsonValue:
    """The output, made of the goal event or of all events.

    Raises:
        LimitExceeded: a limit ended it, and it is to fail then.
        DeadlineExceeded: so did its time.
        PartFailed: the node that makes the result failed.
    """
    node, goal, loose = work.node, exchange.goal, exchange.undelivered
    unfinished = exchange.close()
    if goal is None:
        for limit in _limits(work, exchange):
            if node.at_limit == "fail":
                raise limit
            work.missing.append(str(limit))
            work.frame.decide(str(limit))
    else:
        work.frame.decide(f"{goal.event_type} of {goal.agent_id} ended the network")
        if unfinished:
            work.frame.decide(f"{_events(len(unfinished))} not worked on: {_who_had(unfinished)}")
    output: JsonValue = goal.payload if goal else [event.payload for event in loose]
    if loose and goal:
        named = ", ".join(dict.fromkeys(event.event_type for event in loose))
        work.frame.note(notes=[f"{len(loose)} events reached nobody: {named}"[:1000]])
    work.so_far = output
    if node.result is None:
        return output
    if work.is_late:
        work.missing.append("no time was left for the result: these are the events that reached nobody")
        return output
    ends = [goal] if goal else loose
    told: list[JsonValue] = [event.told() for event in exchange.sent()]
    ask = Ask(
        prompts.for_result(work.goal, work.missing), [_shown(event) for event in ends] if ends else told,
        {"events": told, "missing": list(work.missing)}, key=node.result.key or "result", goal=work.goal,
    )  # fmt: skip
    return await work.answer("result", "result", ask)


def _shown(event: Event) -> JsonValue:
    """An event as whoever makes the result reads it."""
    return {"event_type": event.event_type, "agent_id": event.agent_id, "payload": event.payload}


def _limits(work: PatternWork[NetworkNode], exchange: Exchange) -> list[OstinatoError]:
    """What kept it from an end of its own, the first first."""
    node, left, dropped = work.node, exchange.left, exchange.memory.dropped
    found: list[OstinatoError] = []
    lower = "or let its peers send fewer events"
    if left and work.is_late:
        found.append(work.too_late(f"{_events(left)} left"))
    if count := dropped.get("events", 0) + (0 if work.is_late else left):
        found.append(
            LimitExceeded(
                f"{_events(count)} not worked on: max_events={node.max_events} of the network {node.name!r} is reached",
                fix=f"raise max_events of {node.name!r}, {lower}",
            )
        )
    if count := dropped.get("hops", 0):
        found.append(
            LimitExceeded(
                f"{_events(count)} not passed on: max_hops={node.max_hops} of the network {node.name!r} is reached",
                fix=f"raise max_hops of {node.name!r}, {lower}",
            )
        )
    if count := dropped.get("size", 0):
        found.append(
            LimitExceeded(
                f"{_events(count)} not kept: those of the network {node.name!r} may have {MAX_BYTES:,} bytes together",
                fix="let peers say less, and write the rest as artifacts",
            )
        )
    if not found and node.goal_event:
        found.append(
            LimitExceeded(
                f"nothing was left to do in the network {node.name!r}, and its goal event {node.goal_event} never came",
                fix="look at what its peers sent: `ostinato show`",
            )
        )
    if not found and not exchange.memory.begun:
        found.append(
            LimitExceeded(
                f"nobody in the network {node.name!r} listens to what it starts with",
                fix="let a peer subscribe to it, or send it to one",
            )
        )
    return found


def _who_had(records: list[EventRecord]) -> str:
    """Events by their types, and who had them."""
    had = Counter((record.event.event_type, ", ".join(record.left_with)) for record in records)
    return "; ".join(f"{count} {name} with {peers}" for (name, peers), count in had.items())


def _events(count: int) -> str:
    return "1 event was" if count == 1 else f"{count:,} events were"
