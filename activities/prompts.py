"""From a ModelRequest to what the provider is asked, and to the hash that names it."""

import json
from collections.abc import Sequence

from activities.contracts.calls import ModelRequest
from activities.contracts.messages import Message, UserMessage, estimate_tokens
from activities.contracts.profile import AgentProfile
from activities.providers.base import ProviderCall
from activities.records import request_hash
from activities.threads import split_for_summary

SUMMARISE = (
    "Summarise the conversation above for yourself: what was asked, what was found (with the sources, verbatim where a "
    "quotation matters), what was decided, and what is still open. Be brief."
)


def build_call(
    request: ModelRequest, profile: AgentProfile, messages: Sequence[Message], timeout_seconds: float
) -> ProviderCall:
    """What the provider is asked: the whole window, or the part of it that is to be summarised."""
    model = profile.models[request.choice].model
    if request.purpose == "summarise":
        _, end = split_for_summary(messages)
        return ProviderCall(
            model=model,
            instructions=profile.instructions,
            messages=[*messages[:end], UserMessage(text=SUMMARISE)],
            max_output_tokens=profile.max_output_tokens,
            timeout_seconds=timeout_seconds,
        )
    return ProviderCall(
        model=model,
        instructions=profile.instructions,
        messages=messages,
        tools=profile.tools if request.offer_tools else (),
        output_schema=profile.output.schema_ if profile.output else None,
        max_output_tokens=profile.max_output_tokens,
        temperature=profile.temperature,
        timeout_seconds=timeout_seconds,
    )


def profile_tokens(profile: AgentProfile) -> int:
    """The estimated length of what every prompt begins with: instructions, tools and contract."""
    tools = sum(estimate_tokens(tool.name + tool.description + json.dumps(tool.parameters)) for tool in profile.tools)
    contract = estimate_tokens(json.dumps(profile.output.schema_)) if profile.output else 0
    return estimate_tokens(profile.instructions) + tools + contract


def prompt_hash(request: ModelRequest, profile: AgentProfile, digests: Sequence[str]) -> str:
    """The record's key: what the model sees, and nothing of time, budget, attempt or trace.

    Args:
        request: which purpose, and whether tools are offered.
        profile: instructions, tools, contract, model and parameters.
        digests: the window, message by message.
    """
    choice = profile.models[request.choice]
    tools = profile.tools if request.offer_tools and request.purpose == "answer" else ()
    return request_hash(
        {
            "provider": choice.provider,
            "model": choice.model,
            "purpose": request.purpose,
            "instructions": profile.instructions,
            "messages": list(digests),
            "tools": [[tool.name, tool.description, tool.parameters] for tool in tools],
            "output": profile.output.schema_ if profile.output else None,
            "max_output_tokens": profile.max_output_tokens,
            "temperature": profile.temperature,
        }
    )
