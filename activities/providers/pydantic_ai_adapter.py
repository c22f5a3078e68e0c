"""Our messages, tools and answers to and from pydantic-ai's; shared by every provider family that rests on it.

Nothing of pydantic-ai leaves this folder: its message parts change in minor releases, histories and threads stay.
"""

import hashlib
import re
from collections.abc import Callable, Iterable, Sequence
from typing import Literal, assert_never

from pydantic_ai import messages as library
from pydantic_ai.models import ModelRequestParameters
from pydantic_ai.output import OutputObjectDefinition
from pydantic_ai.tools import ToolDefinition

from activities.contracts.base import MAX_TEXT
from activities.contracts.calls import FinishReason
from activities.contracts.messages import MAX_TOOL_CALLS, AssistantMessage, Message, ToolCall, ToolMessage, UserMessage
from activities.errors import AnswerTooLong
from activities.providers.base import ProviderAnswer, ProviderCall

MAX_NAME = 200
"""Characters of a tool's name and of a tool call's id, as in the contract ToolCall."""

OUTPUT_NAME = "answer"
"""What the output contract is called towards a provider; it asks for a name and does nothing with it."""

NOTHING = "(nothing)"
"""The result of a tool that returned no text: Anthropic refuses blank texts."""

OutputMode = Literal["text", "native", "prompted"]
"""How the output contract is asked for: not at all, by the protocol's own field, or in words among the instructions."""

_FINISH_REASONS: dict[str | None, FinishReason] = {
    "stop": "stop",
    "length": "length",
    "tool_call": "tool_calls",
    "content_filter": "content_filter",
}


def to_library_messages(
    messages: Sequence[Message], word: Callable[[str], str] = lambda text: text
) -> list[library.ModelMessage]:
    """Translate a conversation. Neighbours that are not the model's own make up one request, as the library has it.

    Args:
        messages: The conversation.
        word: Makes names of tools and ids of calls fit the provider, the same for a call and its result.
    """
    result: list[library.ModelMessage] = []
    pending: list[library.ModelRequestPart] = []
    for message in messages:
        match message:
            case UserMessage():
                pending.append(library.UserPromptPart(content=message.text))
            case ToolMessage():
                # The text is what the model sees, errors included: an ``outcome`` would wrap it once more.
                pending.append(
                    library.ToolReturnPart(
                        tool_name=word(message.tool),
                        content=message.text if message.text.strip() else NOTHING,
                        tool_call_id=word(message.tool_call_id),
                    )
                )
            case AssistantMessage():
                if pending:
                    result.append(library.ModelRequest(parts=pending))
                    pending = []
                result.append(_to_library_response(message, word))
            case _:
                assert_never(message)
    if pending:
        result.append(library.ModelRequest(parts=pending))
    return result


def plain_word(text: str, unfit: re.Pattern[str]) -> str:
    """A name or id of characters that a provider takes, at most 64; distinct where the given ones are.

    Args:
        text: The name or id.
        unfit: The characters that it does not take.
    """
    plain = unfit.sub("_", text)
    if plain == text and 0 < len(text) <= 64:
        return text
    return f"{plain[:40]}_{hashlib.sha256(text.encode()).hexdigest()[:20]}"


def to_library_parameters(call: ProviderCall, mode: OutputMode) -> ModelRequestParameters:
    """Translate instructions, tools and the output contract."""
    tools = [
        ToolDefinition(name=tool.name, description=tool.description, parameters_json_schema=dict(tool.parameters))
        for tool in call.tools
    ]
    instructions = [library.InstructionPart(content=call.instructions)] if call.instructions else []
    if call.output_schema is None or mode == "text":
        return ModelRequestParameters(function_tools=tools, instruction_parts=instructions)
    return ModelRequestParameters(
        function_tools=tools,
        instruction_parts=instructions,
        output_mode=mode,
        output_object=OutputObjectDefinition(json_schema=dict(call.output_schema), name=OUTPUT_NAME),
    )


def to_answer(response: library.ModelResponse) -> ProviderAnswer:
    """Translate an answer. Reasoning is left out, and so are tool calls beyond ``MAX_TOOL_CALLS``.

    Raises:
        AnswerTooLong: the text or a call's arguments are longer than the contract holds. Nothing is cut: half an
            answer would pass for a whole one.
    """
    text = "".join(part.content for part in response.parts if isinstance(part, library.TextPart))
    refusal = (response.provider_details or {}).get("refusal")
    text = _whole_characters(text or (refusal if isinstance(refusal, str) else ""))
    _check_length("text", text)
    calls = (part for part in response.parts if isinstance(part, library.ToolCallPart))
    return ProviderAnswer(
        text=text,
        tool_calls=_to_tool_calls(calls),
        finish_reason=_FINISH_REASONS.get(response.finish_reason, "other"),
        input_tokens=max(response.usage.input_tokens, 0),
        output_tokens=max(response.usage.output_tokens, 0),
    )


def _to_library_response(message: AssistantMessage, word: Callable[[str], str]) -> library.ModelResponse:
    # Anthropic refuses texts of nothing but white space.
    parts: list[library.ModelResponsePart] = [library.TextPart(content=message.text)] if message.text.strip() else []
    parts.extend(
        library.ToolCallPart(tool_name=word(call.tool), args=call.arguments, tool_call_id=word(call.tool_call_id))
        for call in message.tool_calls
    )
    return library.ModelResponse(parts=parts)


def _to_tool_calls(parts: Iterable[library.ToolCallPart]) -> tuple[ToolCall, ...]:
    calls: dict[str, ToolCall] = {}
    for part in parts:
        if len(calls) == MAX_TOOL_CALLS:
            break
        tool, arguments = _whole_characters(part.tool_name)[:MAX_NAME], _whole_characters(_arguments(part))
        _check_length(f"arguments of a call of {tool!r}", arguments)
        tool_call_id = _unique_id(_whole_characters(part.tool_call_id), calls)
        calls[tool_call_id] = ToolCall(tool_call_id=tool_call_id, tool=tool, arguments=arguments)
    return tuple(calls.values())


def _arguments(part: library.ToolCallPart) -> str:
    """The arguments as the model wrote them: no repair here, the agent is told what is wrong with them."""
    if part.args is None:
        return ""
    return part.args if isinstance(part.args, str) else part.args_as_json_str()


def _unique_id(tool_call_id: str, taken: Iterable[str]) -> str:
    """An id that the contract holds and no other call of this answer has: some servers number from zero each time."""
    if len(tool_call_id) > MAX_NAME or tool_call_id in taken:
        return "call_" + hashlib.sha256(f"{len(list(taken))}:{tool_call_id}".encode()).hexdigest()[:40]
    return tool_call_id


def _whole_characters(text: str) -> str:
    """Replace halves of surrogate pairs: JSON can spell them, UTF-8 and so the object store cannot."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _check_length(what: str, text: str) -> None:
    if len(text) > MAX_TEXT:
        raise AnswerTooLong(
            f"The model's answer is too long: {what} of {len(text):,} characters, at most {MAX_TEXT:,} are kept.",
            fix="Lower limits.output_tokens of the agent, or ask it for less.",
        )
