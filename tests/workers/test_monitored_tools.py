"""A rule on what a tool takes by another name, or makes by itself, would be passed by: it is refused."""

from typing import Annotated, Any

import pytest
from pydantic import AliasChoices, Field

from activities.errors import ConfigurationInvalid
from activities.tools.base import Tool, tool
from tests.support.monitors import watched
from workers.profiles import build_profiles
from workers.settings import load_settings
from workers.team_check import complete


@tool(effect="idempotent")
def pay(amount: Annotated[float, Field(validation_alias=AliasChoices("amount", "amt"))]) -> str:
    """Pay."""
    return f"paid {amount}"


@tool(effect="idempotent")
def pay_sum(amount: Annotated[float, Field(alias="sum")]) -> str:
    """Pay."""
    return f"paid {amount}"


@tool(effect="idempotent")
def pay_usual(amount: float = Field(default_factory=lambda: 900.0)) -> str:
    """Pay."""
    return f"paid {amount}"


@tool(effect="idempotent")
def pay_plain(amount: float = 900.0, note: str = Field(default_factory=str)) -> str:
    """Pay."""
    return f"paid {amount} {note}"


def admitted(paid: Tool, **rule: Any) -> None:
    team = watched({"kind": "agent", "agent": "a"}, rule, agents={"a": {"tools": [paid.spec.name]}})
    build_profiles(complete(team), load_settings(), {paid.spec.name: paid}, "offline")


LARGE = {"amount": {"minimum": 501}}


@pytest.mark.parametrize(
    ("paid", "rule", "said"),
    [
        (pay, {"arguments": LARGE, "verdict": "block"}, "'pay' takes that by other names too: amount, amt"),
        (pay, {"tool": "pay", "arguments": {"amt": {"minimum": 501}}, "verdict": "block"}, "takes that by other names"),
        (pay, {"verdict": "edit", "replace": {"amount": 5}}, "takes that by other names too"),
        (pay_sum, {"tool": "pay*", "arguments": LARGE, "verdict": "block"}, "takes that by other names too: amount, sum"),
        (pay_usual, {"arguments": LARGE, "verdict": "block"}, "whose default 'pay_usual' makes when it is called"),
        (pay_usual, {"verdict": "edit", "limit": {"amount": {"maximum": 5}}}, "whose default 'pay_usual' makes"),
    ],
)  # fmt: skip
def test_a_rule_on_what_no_monitor_sees_is_refused(paid: Tool, rule: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigurationInvalid) as caught:
        admitted(paid, **rule)
    assert said in str(caught.value)
    assert "a grant" in caught.value.fix


def test_what_a_monitor_sees_is_not() -> None:
    admitted(pay_plain, arguments=LARGE, verdict="block")
    admitted(pay_usual, verdict="edit", replace={"amount": 5})  # set, whatever was given
    admitted(pay, text="900", verdict="block")
