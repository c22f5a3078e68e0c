"""A conversation with the offline model over a small folder, for its tests."""

from collections.abc import Sequence
from typing import Any

from activities.contracts.messages import AssistantMessage, Message, ToolCall, ToolMessage, UserMessage
from activities.providers.base import ProviderAnswer, ProviderCall
from activities.providers.offline import OfflineProvider
from activities.tools.base import Tool, ToolContext, tool
from activities.tools.documents import read_document, search_documents
from activities.tools.quotes import check_quotes
from tests.tools.folder import HARBOUR, RULES, Folder

FOLDER = Folder({"log.md": HARBOUR, "rules.txt": RULES, "docs/a:b ü.md": "\n\nThe ferry sails\non Mondays"})
NOTHING = "not in these documents"
CITED: dict[str, Any] = {
    "type": "object",
    "properties": {
        "answer": {"type": "string"},
        "found": {"type": "boolean"},
        "quotes": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {"quote": {"type": "string"}, "source": {"type": "string"}},
                "required": ["quote", "source"],
            },
        },
    },
    "required": ["answer", "quotes"],
}


@tool(effect="read")
def add(a: float, b: float) -> float:
    """Add two numbers and return their sum."""
    return a + b


@tool(effect="once")
def delete_everything() -> str:
    """Delete all documents at once."""
    raise AssertionError("nobody asked for this")


@tool(effect="once")
def send_letter(to: str, text: str) -> str:
    """Send a letter to a person."""
    return f"sent to {to}: {text}"


TOOLS = {item.spec.name: item for item in (search_documents, read_document, add, delete_everything, send_letter)}


async def ask(messages: Sequence[Message], *tools: Tool, **more: Any) -> ProviderAnswer:
    call = ProviderCall(
        model="any",
        instructions="Answer with quotations.",
        messages=messages,
        tools=[item.spec for item in tools],
        **more,
    )
    answer = await OfflineProvider().request(call)
    assert answer == await OfflineProvider().request(call)
    assert answer.output_tokens <= call.max_output_tokens
    assert answer.finish_reason == ("tool_calls" if answer.tool_calls else "stop")
    return answer


async def converse(
    question: str, *tools: Tool, folder: Folder = FOLDER, **more: Any
) -> tuple[ProviderAnswer, list[Message], list[ToolCall]]:
    """Run the loop: the answer, the conversation, and the calls."""
    messages: list[Message] = [UserMessage(text=question)]
    calls: list[ToolCall] = []
    for _ in range(5):
        answer = await ask(messages, *tools, **more)
        messages.append(AssistantMessage(text=answer.text, tool_calls=answer.tool_calls))
        if not answer.tool_calls:
            return answer, messages, calls
        for call in answer.tool_calls:
            calls.append(call)
            made = TOOLS[call.tool]
            try:
                text = await made(ToolContext("request", folder), made.arguments.model_validate_json(call.arguments))
                messages.append(ToolMessage(tool_call_id=call.tool_call_id, tool=call.tool, text=text))
            except ValueError as error:
                messages.append(
                    ToolMessage(tool_call_id=call.tool_call_id, tool=call.tool, text=str(error), is_error=True)
                )
    raise AssertionError("it never stops calling tools")


async def checked(output: Any, folder: Folder = FOLDER) -> list[str]:
    found: list[str] = await check_quotes.function(ToolContext("request", folder), output)
    return found
