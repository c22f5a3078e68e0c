"""The rows about long conversations: does history grow with the turns alone, and where does a document end up."""

from collections.abc import Sequence

from temporalio.api.history.v1 import HistoryEvent

from scripts.bench.harness import Harness, Notify
from scripts.bench.histories import bytes_of_turns, input_bytes
from scripts.bench.rows import Row, single
from scripts.bench.scripted import Shape, seed_of
from scripts.bench.tools import make_text, pieces_of

LEAST_TURNS = 5
INLINE_DOCUMENT = 15_000
"""Bytes; under the 16 KiB that stay inline."""
AS_GOAL = "15 kB as the goal"
LONG_DOCUMENT = 20_000
"""Bytes; over them, so the whole goes by reference and a preview stands in the conversation."""


async def growth_rows(harness: Harness, turns: int, notify: Notify) -> list[Row]:
    """All cases at one length; the first and the last fifth of the turns are compared.

    The document comes at turn 1, which is not among the first fifth: it is there once, whatever follows.
    """
    cases = {
        AS_GOAL: (Shape(turns=turns + 1, goal_bytes=INLINE_DOCUMENT), make_text("goal", INLINE_DOCUMENT)),
        "15 kB from a tool": (
            Shape(turns=turns + 1, document_bytes=INLINE_DOCUMENT),
            make_text(seed_of(1), INLINE_DOCUMENT),
        ),
        "20 kB from a tool": (
            Shape(turns=turns + 1, document_bytes=LONG_DOCUMENT),
            make_text(seed_of(1), LONG_DOCUMENT),
        ),
    }
    rows: list[Row] = []
    for name, (shape, document) in cases.items():
        notify(f"{turns} turns with a document of {name}")
        batch = await harness.ours(shape)
        events = await harness.history(batch)
        rows += _of_history(name, events, turns, document)
        rows.append(await _in_store(name, harness, batch.handles[0].id, document))
    return rows


def _of_history(name: str, events: Sequence[HistoryEvent], turns: int, document: str) -> list[Row]:
    fifth = max(1, turns // 5)
    early = bytes_of_turns(events, 2, fifth + 1)
    late = bytes_of_turns(events, turns - fifth + 1, turns)
    inputs = input_bytes(events)
    wire = b"".join(event.SerializeToString() for event in events)
    last = f"{turns - fifth + 1}..{turns}"
    return [
        single(
            (f"history of turns {last} / 2..{fifth + 1}, {name}", "ratio"), late / early, by="ratio", target="<= 1.02"
        ),
        # The numbers in it (turn, messages, tokens) get longer by a digit or two, and nothing else may.
        single(
            (f"model input at turn {turns} - turn 3, {name}", "bytes"),
            inputs[2 * turns - 2] - inputs[4],
            by="difference",
            target="<= 8",
        ),
        # A goal is there twice on both sides, as the run's input and the first step's, and its start in the summary.
        single(
            (f"copies in history, {name}", "copies"),
            _copies([wire], document),
            target="" if name == AS_GOAL else "<= 1",
        ),
    ]


async def _in_store(name: str, harness: Harness, scope_id: str, document: str) -> Row:
    store = harness.deployment.store
    paths = [path async for path in store.list_paths(f"lineages/{scope_id}/")]
    objects = [await store.read(path, scope_id=scope_id) or b"" for path in paths]
    return single((f"copies in the object store, {name}", "copies"), _copies(objects, document), target="= 1")


def _copies(objects: Sequence[bytes], document: str) -> float:
    """How often the document is there, on average over its pieces: a preview of half of it counts as half a copy."""
    pieces = pieces_of(document)
    return sum(data.count(piece) for data in objects for piece in pieces) / len(pieces)
