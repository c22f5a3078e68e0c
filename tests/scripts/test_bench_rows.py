"""The bench's arithmetic, and its floor: what needs no run of it."""

from activities.contracts.messages import AssistantMessage, Message, ToolCall, ToolMessage, UserMessage
from scripts.bench.floor import PLAIN_MODELS, PLAIN_TOOLS, PLAIN_WORKFLOWS, PlainActivities, PlainStep
from scripts.bench.payload import plain_steps, saved_by_reference
from scripts.bench.rows import compare, percentile, pooled, single
from scripts.bench.tools import make_text, pieces_of
from workflows import steps


def test_percentiles_lie_between_their_neighbours() -> None:
    assert percentile([4.0, 1.0, 3.0, 2.0], 50) == 2.5
    assert percentile([float(n) for n in range(101)], 99) == 99
    assert percentile([7.0], 99) == 7


def test_a_pooled_row_compares_what_all_rounds_have_together() -> None:
    row = pooled(("n", "u"), (10.0, 4.0), [5.0, 8.0])
    assert (row.ours, row.plain, row.value, row.lowest, row.highest, row.met) == (10, 4, 6, 5, 8, None)


def test_the_floor_moves_the_text_of_the_conversation() -> None:
    call = ToolCall(tool_call_id="1", tool="look", arguments='{"a": 1}')
    conversation: list[Message] = [
        UserMessage(text="x" * 50),
        AssistantMessage(text="ok", tool_calls=(call,)),
        ToolMessage(tool_call_id="1", tool="look", text="y" * 70),
        AssistantMessage(text="z" * 30),
    ]
    asked = len("look") + len('{"a": 1}') + 2  # two quotation marks, escaped
    assert plain_steps(conversation) == [
        PlainStep(model=True, sends=50, returns=2 + asked),
        PlainStep(model=False, sends=asked, returns=70),
        PlainStep(model=True, sends=70, returns=30),
    ]
    assert saved_by_reference(plain_steps(conversation)) == 30


async def test_the_floor_returns_what_it_is_asked_for() -> None:
    assert len(await PlainActivities().model("120 xxx")) == 120
    assert len(await PlainActivities().tool("7 ")) == 7


def test_the_floor_has_no_longer_names_than_ours() -> None:
    """They are in every event: a byte more there would be a byte less extra for us."""
    ours = [steps.WORKFLOW_QUEUE, steps.model_queue("offline"), steps.TOOL_QUEUE]
    assert [len(name) for name in (PLAIN_WORKFLOWS, PLAIN_MODELS, PLAIN_TOOLS)] == [len(name) for name in ours]


def test_a_row_says_whether_its_target_is_met() -> None:
    assert compare(("n", "u"), [10, 30, 20], [10, 10, 10], by="ratio", target="<= 1.5").met is False
    row = compare(("n", "u"), [10, 30, 20], [10, 10, 10], by="difference", target=">= 10")
    assert (row.ours, row.plain, row.value, row.lowest, row.highest, row.met) == (20, 10, 10, 0, 20, True)
    assert single(("n", "u"), 1.5, target="= 1").met is False
    assert single(("n", "u"), 1.5).met is None


def test_no_piece_of_a_document_repeats() -> None:
    pieces = pieces_of(make_text("seed", 15_000))
    assert len(pieces) == len(set(pieces)) == 150
