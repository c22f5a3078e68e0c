"""``ostinato resume``: a run that failed or was stopped goes on from what is on record."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from scripts.going_on import carry_out, read_team
from scripts.terminal import Json, Output
from workers.rewinding import Order


async def resume(
    run: str,
    /,
    *,
    team: Path | None = None,
    provider: str = "",
    repeat_effects: Annotated[tuple[str, ...], Parameter(negative="")] = (),
    as_json: Json = False,
) -> int:
    """Resume a run that failed or was stopped, after its cause is mended, and print the result.

    Whatever is on record is not paid again, and nobody is asked again what they have answered. A run that is under way is
    followed.

    Args:
        run: The run's id.
        team: A changed team file, in place of the team that the run was started with.
        provider: The provider of the models, in place of the one that the run was started with.
        repeat_effects: A tool whose effect is not known to have happened, and that may be called once more.
        as_json: Print one JSON object.
    """
    order = Order("resume", team=read_team(team), provider=provider, repeat_effects=repeat_effects)
    return await carry_out(run, order, Output(as_json=as_json))
