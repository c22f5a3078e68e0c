"""The offline model: deterministic and extractive, with no key and no network.

It does modest but real work on the real input: it calls the granted tools that a request needs, ranks the sentences
of what they returned and of its prompt, quotes the best ones verbatim with their source, and fills declared output
contracts from them. It invents nothing: where nothing fits it says so.
"""

import asyncio
import json
import re
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from activities.contracts.messages import Message, UserMessage, estimate_tokens
from activities.errors import ProviderTimeout
from activities.providers.base import ProviderAnswer, ProviderCall
from activities.providers.offline_evidence import Evidence, best, gather
from activities.providers.offline_planner import parts
from activities.providers.offline_reading import NOTHING, Reading, read
from activities.providers.offline_remarks import own_words
from activities.providers.offline_roles.base import Request
from activities.providers.offline_roles.table import role_of
from activities.providers.offline_schema import Material, fill
from activities.providers.offline_sections import described
from activities.providers.offline_tools import finds_documents, next_call

MAX_SUMMARY = 40
"""Sentences of a summary."""
_CUTS = ((3, 500), (2, 500), (1, 500), (1, 200), (1, 80), (0, 0))
"""Sentences of an answer and characters of each, the first that fits the token limit."""


class OfflineProvider:
    """The provider ``offline``. Any model name is accepted: there is one model."""

    @property
    def name(self) -> str:
        """The word before the colon in ``offline:extractive``."""
        return "offline"

    async def request(self, call: ProviderCall) -> ProviderAnswer:
        """Answer from the conversation alone: the same call gets the same answer, in any process.

        Raises:
            ProviderTimeout: reading took longer than the call allows.
        """
        try:
            async with asyncio.timeout(call.timeout_seconds):
                # A thread, so that heartbeats go on while a long conversation is read.
                return await asyncio.to_thread(answer, call)
        except TimeoutError as error:
            raise ProviderTimeout(
                f"the offline model took over {call.timeout_seconds:g} s", fix="shorten the input"
            ) from error

    async def aclose(self) -> None:
        """Nothing to close."""


_CLAUSE = re.compile(r"[.;,]\s+|\s+(?:and|but|und|aber)\s+")


def answer(call: ProviderCall) -> ProviderAnswer:
    """The answer to a call: a tool call, or text from evidence."""
    messages = list(call.messages)
    summarise = _asks_for_summary(messages)
    reading = read(messages[:-1] if summarise else messages)
    if summarise:
        return _answered(call, _summary(gather(reading), call.max_output_tokens))
    role = role_of(
        Request(call.output_schema, call.instructions, reading, messages, finds=finds_documents(tuple(call.tools)))
    )
    evidence = (gather(reading) or _by_parts(reading)) if role is None or role.reads else []
    wanted = next_call(tuple(call.tools), reading, evidence) if role is None or role.searches else None
    if wanted is not None and estimate_tokens(wanted.arguments) <= call.max_output_tokens:
        return ProviderAnswer(
            text="",
            tool_calls=(wanted,),
            finish_reason="tool_calls",
            input_tokens=_input_tokens(call),
            output_tokens=estimate_tokens(wanted.tool + wanted.arguments),
        )
    if role is not None:
        return _answered(call, _shortest(role.answers(evidence), call.max_output_tokens))
    text = ""
    for count, length in _CUTS:
        text = _written(call, reading, _cut(best(evidence, count), length))
        if estimate_tokens(text) <= call.max_output_tokens:
            return _answered(call, text)
    return _answered(call, text)


def _by_parts(reading: Reading) -> list[Evidence]:
    """Where no sentence answers a question of several parts: what answers one of them."""
    asked = parts(reading.question)
    if len(asked) < 2 and "?" not in reading.question:
        asked = [clause for clause in _CLAUSE.split(reading.question) if clause.strip()]
    found = [item for part in asked for item in best(gather(replace(reading, question=part)))] if len(asked) > 1 else []
    return list({(item.source, item.quote): item for item in found}.values())


def _asks_for_summary(messages: list[Message]) -> bool:
    """The request to summarise a conversation comes last; a goal that begins with the same word comes first."""
    last = messages[-1] if len(messages) > 1 else None
    return isinstance(last, UserMessage) and last.text.lstrip().lower().startswith(("summarise", "summarize"))


def _cut(evidence: list[Evidence], length: int) -> list[Evidence]:
    """Quotations shortened at a space: the beginning of a verbatim slice is one too."""
    kept: list[Evidence] = []
    for item in evidence:
        if len(item.quote) > length:
            quote = item.quote[:length].rpartition(" ")[0] or item.quote[:length]
            item = replace(item, quote=quote.rstrip(), claim="")  # noqa: PLW2901 -- the shortened one stands for it
        kept.append(item)
    return kept


def _written(call: ProviderCall, reading: Reading, evidence: list[Evidence]) -> str:
    if call.output_schema is None:
        return "\n\n".join(map(_paragraph, evidence)) or reading.nothing
    subtask_id = reading.layout.subtask_id if reading.layout else ""
    # What a worker without a search is given is its input, not a document: it is not quoted.
    blind = bool(subtask_id) and not finds_documents(call.tools) and all(item.path == "prompt" for item in evidence)
    given = reading.layout.material if reading.layout else ""
    said = own_words(reading.question, given, (item.plain for item in evidence)) if blind else ""
    told = {**described(call.instructions), **described(reading.opening)}
    material = Material(reading.question, reading.subject, tuple(evidence), subtask_id, said, told, given)
    value: Any = fill(call.output_schema, material)
    return json.dumps(value, ensure_ascii=False)


def _shortest(answers: Iterable[Any], max_output_tokens: int) -> str:
    """The first answer that fits the token limit, else the last."""
    text = ""
    for value in answers:
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        if estimate_tokens(text) <= max_output_tokens:
            break
    return text


def _summary(evidence: list[Evidence], max_output_tokens: int) -> str:
    """The best sentences that fit, written as ``read`` finds them again."""
    kept: list[str] = []
    for item in evidence[:MAX_SUMMARY]:
        text = "\n\n".join([*kept, _paragraph(item)])
        if estimate_tokens(text) <= max_output_tokens:
            kept.append(_paragraph(item))
    return "\n\n".join(kept) or NOTHING


def _paragraph(item: Evidence) -> str:
    return f'"{item.quote}" ({item.source})'


def _answered(call: ProviderCall, text: str) -> ProviderAnswer:
    fits = estimate_tokens(text) <= call.max_output_tokens
    if not fits and call.output_schema is None:
        text = text[: max(0, call.max_output_tokens - 4) * 4]
    return ProviderAnswer(
        text=text,
        finish_reason="stop" if fits else "length",
        input_tokens=_input_tokens(call),
        output_tokens=estimate_tokens(text),
    )


def _input_tokens(call: ProviderCall) -> int:
    texts = [call.instructions, *(_shown(message) for message in call.messages)]
    texts += [spec.name + spec.description + json.dumps(spec.parameters, ensure_ascii=False) for spec in call.tools]
    if call.output_schema is not None:
        texts.append(json.dumps(call.output_schema, ensure_ascii=False))
    return sum(map(estimate_tokens, texts))


def _shown(message: Message) -> str:
    calls = message.tool_calls if message.role == "assistant" else ()
    return message.text + "".join(call.tool + call.arguments for call in calls)
