"""``@tool``: what the model sees of a function, and what a function may do to the worker."""

import sys
from types import ModuleType
from typing import Annotated

import pytest
from pydantic import Field

from activities.errors import ConfigurationInvalid
from activities.tools.base import Tool, ToolContext, collect_tools, tool
from tests.support import tools


@tool(effect="read")
def shaped(context: ToolContext, name: str, count: Annotated[int, Field(ge=1, le=3)] = 2) -> dict[str, object]:
    """A tool with a context and bounds."""
    return {"name": name, "count": count, "id": context.request_id}


async def call(subject: Tool, arguments: str) -> str:
    return await subject(ToolContext(request_id="r1"), subject.arguments.model_validate_json(arguments))


async def test_the_schema_is_the_signature_without_the_context() -> None:
    properties = shaped.spec.parameters["properties"]
    assert isinstance(properties, dict)
    assert set(properties) == {"name", "count"}
    assert properties["count"] == {"default": 2, "maximum": 3, "minimum": 1, "title": "Count", "type": "integer"}
    assert shaped.spec.parameters["required"] == ["name"]
    assert await call(shaped, '{"name": "ä"}') == '{"name": "ä", "count": 2, "id": "r1"}'


async def test_a_tool_cannot_end_the_worker() -> None:
    @tool(effect="read")
    async def leave() -> str:
        """End the process."""
        sys.exit(3)

    with pytest.raises(RuntimeError, match="exit 3"):
        await call(leave, "{}")


async def test_a_number_that_json_does_not_have_is_null() -> None:
    @tool(effect="read")
    def nothing() -> float:
        """Not a number."""
        return float("nan")

    assert await call(nothing, "{}") == "null"


def test_what_cannot_be_a_tool_is_refused_with_a_reason() -> None:
    def undocumented(a: int) -> int:
        return a

    def untyped(a) -> int:  # type: ignore[no-untyped-def] # noqa: ANN001 -- the point of the test
        """Has no type."""
        return int(a)

    def starred(*a: int) -> int:
        """Takes anything."""
        return sum(a)

    def optional(context: ToolContext | None) -> str:
        """Wants the context, or not."""
        return str(context)

    for function in (undocumented, untyped, starred, optional):
        with pytest.raises(ConfigurationInvalid) as caught:
            tool(effect="read")(function)
        assert caught.value.fix


def test_two_tools_of_one_name_are_refused() -> None:
    module = ModuleType("other")
    vars(module)["mine"] = Tool(shaped.function, tools.add.spec, shaped.arguments)
    assert collect_tools([tools, tools])["add"] is tools.add
    with pytest.raises(ConfigurationInvalid, match="two tools are named 'add'"):
        collect_tools([tools, module])
