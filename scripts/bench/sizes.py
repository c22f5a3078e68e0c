"""How much the bench does: by default, quickly, or as told."""

from dataclasses import asdict, dataclass
from typing import Annotated, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from activities.errors import ConfigurationInvalid
from scripts.bench.growth import LEAST_TURNS
from workflows.teams.kinds.fan_out import MAX_BRANCHES

Section = Literal[
    "history",
    "latency",
    "throughput",
    "slow-model",
    "patterns",
    "nesting",
    "fan-out",
    "coordination",
    "growth",
    "long-agent",
    "memory",
    "recovery",
]
SECTIONS: tuple[Section, ...] = get_args(Section)

Crew = Annotated[int, Field(ge=1, le=32)]


class Sizes(BaseModel):
    """Numbers that decide how long it takes, and how far its figures scatter."""

    model_config = ConfigDict(frozen=True)

    turns: Annotated[int, Field(ge=LEAST_TURNS, le=300)] = 30
    """Model calls of one sequential run; each but the last is followed by a tool call."""
    rounds: Annotated[int, Field(ge=1, le=50)] = 5
    runs: Annotated[int, Field(ge=1, le=200)] = 20
    growth_turns: Annotated[int, Field(ge=LEAST_TURNS, le=300)] = 50
    depth: Annotated[int, Field(ge=1, le=5)] = 3
    """Patterns in each other where nesting is measured."""
    fan_out: tuple[Crew, ...] = (1, 5, 20)
    """Branches of the fan-outs, and workers of the crews, whose fan-out is measured."""
    branches: Annotated[int, Field(ge=2, le=MAX_BRANCHES)] = 200
    """Branches of the widest fan-out."""
    at_once: Annotated[int, Field(ge=1, le=50)] = 20
    """How many of them are at work at a time."""
    agents: tuple[Crew, ...] = (1, 2, 4, 8, 16)
    """Workers of the crews whose coordination is measured."""
    long_turns: Annotated[int, Field(ge=LEAST_TURNS, le=990)] = 500
    """Turns of the longest agent."""
    waiting: Annotated[int, Field(ge=10, le=20_000)] = 1000
    kills: Annotated[int, Field(ge=1, le=20)] = 3


FULL = Sizes()
QUICK = Sizes(
    turns=10,
    rounds=1,
    runs=5,
    depth=2,
    fan_out=(1, 5),
    branches=40,
    at_once=10,
    agents=(1, 4),
    growth_turns=12,
    long_turns=50,
    waiting=60,
    kills=1,
)


@dataclass(frozen=True, kw_only=True)
class Told:
    """What may be told on the command line."""

    turns: int | None = None
    """Model calls of one sequential run; each but the last is followed by a tool call (30)."""
    rounds: int | None = None
    """How often each comparison is made; medians and their spread are shown (5)."""
    runs: int | None = None
    """How many runs are under way at once where throughput is measured (20)."""
    growth_turns: int | None = None
    """Length of the conversations whose growth is measured (50)."""
    branches: int | None = None
    """Branches of the widest fan-out, 20 of them at a time (200)."""
    long_turns: int | None = None
    """Turns of the longest agent (500)."""
    waiting: int | None = None
    """How many runs wait at once where memory is measured (1000)."""
    kills: int | None = None
    """How often a worker process is killed (3)."""


def sizes_of(base: Sizes, told: Told) -> Sizes:
    """The base with what was told in its place.

    Raises:
        ConfigurationInvalid: a number out of bounds.
    """
    given = {name: value for name, value in asdict(told).items() if value is not None}
    try:
        return Sizes.model_validate({**base.model_dump(), **given})
    except ValidationError as error:
        first = error.errors()[0]
        name = str(first["loc"][0])
        bounds = Sizes.model_json_schema()["properties"][name]
        raise ConfigurationInvalid(
            f"{name} is {first['input']}",
            fix=f"give --{name.replace('_', '-')} from {bounds['minimum']} to {bounds['maximum']}",
        ) from error
