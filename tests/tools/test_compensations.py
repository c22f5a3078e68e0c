"""A compensation that could not be called when it is needed is refused where the tool is registered."""

from types import ModuleType
from typing import Any

import pytest

from activities.contracts.effects import Undo
from activities.contracts.steps import StepKey
from activities.errors import ConfigurationInvalid
from activities.tools.base import Tool, ToolContext, collect_tools, tool
from activities.tools.compensations import arguments_of


@tool(effect="idempotent")
def cancel(context: ToolContext, room: str, result: str, why: str = "") -> str:
    """Give a room back."""
    return f"{context.request_id} {room} {result} {why}"


@tool(effect="read")
def look(room: str) -> str:
    """Only look."""
    return room


@tool(effect="once")
def needs_more(room: str, floor: int) -> str:
    """Need to know more."""
    return f"{room} {floor}"


@tool(effect="once")
def other_type(room: int) -> str:
    """Take a number."""
    return str(room)


def module(**tools: Tool) -> ModuleType:
    found = ModuleType("hotel")
    vars(found).update(tools)
    return found


def book(**how: Any) -> Tool:
    @tool(**{"effect": "idempotent", "name": "book", **how})
    def book(room: str, hours: int = 1) -> str:
        """Book a room."""
        return f"{room} {hours}"

    return book


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ({"compensate": look}, "the tool 'look', which compensates 'book', only reads"),
        ({"compensate": needs_more}, "needs 'floor', which the original call does not say"),
        ({"compensate": other_type}, "takes 'room' as integer, and the original call says string"),
        ({"compensate": cancel, "effect": "read"}, "the tool 'book' only reads"),
    ],
)
def test_a_compensation_that_could_not_be_called_is_refused(how: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationInvalid, match=message) as caught:
        book(**how)
    assert caught.value.fix


def test_a_compensation_is_found_by_its_name_when_all_tools_are_known() -> None:
    with pytest.raises(ConfigurationInvalid, match="compensated by 'cancell', which is not known"):
        collect_tools([module(book=book(compensate="cancell"), cancel=cancel)])
    with pytest.raises(ConfigurationInvalid, match="only reads"):
        collect_tools([module(book=book(compensate="look"), look=look)])
    with pytest.raises(ConfigurationInvalid, match="compensates itself"):
        collect_tools([module(book=book(compensate="book"))])
    found = collect_tools([module(book=book(compensate="cancel"), cancel=cancel)])
    assert found["book"].spec.compensate == "cancel"


def test_a_compensation_comes_along_with_its_tool() -> None:
    assert collect_tools([module(book=book(compensate=cancel))])["cancel"] is cancel
    with pytest.raises(ConfigurationInvalid, match="two tools are named 'cancel'"):
        collect_tools([module(book=book(compensate=cancel)), module(cancel=tool(effect="once", name="cancel")(_other))])


def test_it_is_given_what_the_original_was_called_with_and_what_came_of_it() -> None:
    key = StepKey(scope_id="r", path="a", step="t1.c0")
    told = Undo(key=key, record="x", arguments='{"room": "blue", "hours": 1}', result="ok")
    assert arguments_of(cancel.spec, told) == '{"room": "blue", "result": "ok"}'


def _other(room: str) -> str:
    """Do something else."""
    return room
