"""Patterns of names, as policies and monitors have them in their rules."""

from typing import Annotated

from pydantic import BeforeValidator, Field, StringConstraints

from activities.contracts.base import Name
from activities.contracts.grants import ArgumentRule

Pattern = Annotated[str, StringConstraints(pattern=r"^([A-Za-z][A-Za-z0-9_-]{0,63}\*?|\*)$")]
"""A name, the beginning of names and ``*``, or ``*`` for all."""


def listed(value: object) -> object:
    """One value as a list of one, so that a file need not write a list for it."""
    return (value,) if isinstance(value, str) else tuple(value) if isinstance(value, list) else value


_Written = BeforeValidator(listed, json_schema_input_type=Pattern | tuple[Pattern, ...])
Patterns = Annotated[tuple[Pattern, ...], _Written, Field(min_length=1, max_length=100)]
"""One pattern, or several of which one has to fit."""
Arguments = Annotated[dict[Name, ArgumentRule], Field(max_length=64)]
"""Conditions on arguments, by name; all of them have to hold."""
