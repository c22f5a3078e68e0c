"""What a part is told, and what it has to do."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

from activities.contracts.base import Schema
from activities.contracts.messages import AssistantMessage, Message, UserMessage
from activities.providers.offline_evidence import Evidence
from activities.providers.offline_reading import Reading
from activities.providers.offline_sections import Sections, take_apart

CUTS = (40, 8, 4, 2, 1, 0)
"""Entries of an answer, the first number that fits the token limit."""


class Role(Protocol):
    """A part in a team."""

    @property
    def searches(self) -> bool:
        """Whether tools are called before it answers."""

    @property
    def reads(self) -> bool:
        """Whether it answers from what was found; else from its prompt alone."""

    def answers(self, evidence: Sequence[Evidence]) -> Iterator[Any]:
        """Its answer, and shorter ones in case that it is too long."""


class Blind:
    """A part that looks at nothing but its prompt."""

    searches = False
    reads = False


class Looking:
    """A part that looks for documents, and answers from them."""

    searches = True
    reads = True


@dataclass(frozen=True)
class Request:
    """One request to the model, read."""

    schema: Schema | None
    """What has to be answered; nothing for free text."""
    instructions: str
    reading: Reading
    messages: Sequence[Message]
    finds: bool
    """Whether there are tools that find documents."""

    @cached_property
    def prompt(self) -> str:
        """What the last request in the conversation says; corrections of an answer's form are none."""
        return self.reading.opening

    @cached_property
    def sections(self) -> Sections:
        """The prompt, taken apart."""
        return take_apart(self.prompt)

    @property
    def goal(self) -> str:
        """What is asked for in the prompt."""
        if self.reading.layout:
            return self.reading.layout.task
        return self.sections.under("goal", "question") or self.sections.task.partition("\n\n")[0] or self.prompt

    @cached_property
    def latest(self) -> str:
        """What was said last: the prompt, or what came after an answer."""
        return next((message.text for message in reversed(self.messages) if isinstance(message, UserMessage)), "")

    @cached_property
    def opened(self) -> str:
        """The first message of all, as it was."""
        return next((message.text for message in self.messages if isinstance(message, UserMessage)), "")

    @cached_property
    def fields(self) -> dict[str, dict[str, Any]]:
        """The fields of the answer, with their schemas; none where it is no object."""
        return fields_of(self.schema or {})

    @cached_property
    def before(self) -> Any:
        """Its last answer; nothing where it has given none."""
        return last_answer(self.messages)


def fields_of(schema: Schema) -> dict[str, dict[str, Any]]:
    """The fields of an object, with their schemas; none where it is none."""
    properties = schema.get("properties")
    found: dict[str, Any] = dict(properties) if isinstance(properties, dict) else {}
    return {name: part if isinstance(part, dict) else {} for name, part in found.items()}


def items_of(field: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The fields of a list's entries; none where they are no objects."""
    items = field.get("items")
    return fields_of(items) if isinstance(items, dict) else {}


def options(field: dict[str, Any]) -> list[str]:
    """The texts that a field chooses from; none where it takes any."""
    values = field.get("enum")
    return [value for value in values if isinstance(value, str)] if isinstance(values, list) else []


def last_answer(messages: Sequence[Message]) -> Any:
    """The last answer, as JSON where it is some, else as text; nothing where there is none."""
    for message in reversed(messages):
        if isinstance(message, AssistantMessage) and message.text and not message.tool_calls:
            try:
                return json.loads(message.text)
            except (ValueError, RecursionError):
                return message.text
    return None
