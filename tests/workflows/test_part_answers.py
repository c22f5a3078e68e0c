"""What a part answers is held to what its place wants, and whoever has to mend it is told which part and how."""

from workflows.contracts import RunResult, RunStatus
from workflows.part_answers import checked
from workflows.teams.kinds.base import Part, record, text
from workflows.teams.tree import CallNode


def test_a_part_that_answers_otherwise_is_named_with_an_answer_that_would_do() -> None:
    part = Part("debaters.c", CallNode(tool="echo", name="third"), answers=record({"position": text()}))
    failure = checked(part, RunResult(status=RunStatus.COMPLETE, output="yes")).failure
    assert failure
    assert failure.message.startswith("the call 'third' (debaters.c) does not answer what its place wants: $: ")
    assert failure.fix == 'let it return JSON such as {"position": "..."}'
