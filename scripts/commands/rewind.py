"""``ostinato rewind``: a run goes back to a checkpoint and on from there, under its own id."""

from typing import Annotated

from cyclopts import Parameter

from scripts.going_on import NOTHING_ELSE, Options, carry_out
from scripts.terminal import Json, Output


async def rewind(
    run: str,
    /,
    *,
    to: str,
    options: Annotated[Options, Parameter(name="*")] = NOTHING_ELSE,
    as_json: Json = False,
) -> int:
    """Go back to a checkpoint of a run and on from there, and print the result. An open run is stopped first.

    Steps whose request does not change are answered from their records. Effects done after the checkpoint are listed, and
    have to be agreed to with --yes.

    Args:
        run: The run's id.
        to: The checkpoint: a version of the run's state, a key or a step; 0 is the start.
        options: What else is asked for.
        as_json: Print one JSON object.
    """
    order = options.order("rewind", to)
    return await carry_out(run, order, Output(as_json=as_json), confirmed=options.yes)
