"""How a step is named, and what it used."""

from typing import Annotated

from pydantic import Field, StringConstraints

from activities.contracts.base import CostUsd, RunId, Tokens, WireModel


class StepKey(WireModel):
    """The business name of one step, the same in every attempt and re-run. Attempts, times and run ids are no part."""

    scope_id: RunId
    """The lineage: the run and all that is resumed, rewound or forked from it."""
    path: Annotated[
        str, StringConstraints(pattern=r"^[A-Za-z0-9_-]+(/[A-Za-z0-9_-]+(\.([0-9]+|person))?){0,15}$", max_length=400)
    ]
    """The node's path in the team tree. ``name.2`` is the second use of a node, ``escalate.person`` who decides in place
    of a step: no name has a dot."""
    step: Annotated[str, StringConstraints(pattern=r"^[a-z0-9.]{1,40}$")]
    """The ordinal inside the node, such as ``t3`` (turn 3) or ``t3.c0`` (its first tool call)."""
    generation: Annotated[int, Field(ge=0)] = 0
    """Raised where recorded results are deliberately not used again."""


class Usage(WireModel):
    """What was spent. Adds up."""

    input_tokens: Tokens = 0
    output_tokens: Tokens = 0
    cost_usd: CostUsd = 0.0
    model_calls: Annotated[int, Field(ge=0)] = 0
    tool_calls: Annotated[int, Field(ge=0)] = 0
    unsettled_tokens: Tokens = 0
    """Reserved for attempts whose outcome is not known (a worker died): an upper bound, not a measurement."""

    def __add__(self, other: "Usage") -> "Usage":
        return Usage(**{name: getattr(self, name) + getattr(other, name) for name in type(self).model_fields})

    @property
    def tokens(self) -> int:
        """All tokens that count against a limit."""
        return self.input_tokens + self.output_tokens + self.unsettled_tokens
