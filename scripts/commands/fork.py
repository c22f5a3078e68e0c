"""``ostinato fork``: another run goes on from a checkpoint of a run, which stays as it is."""

from typing import Annotated

from cyclopts import Parameter

from scripts.going_on import NOTHING_ELSE, Options, carry_out, fork_id
from scripts.terminal import Json, Output


async def fork(
    run: str,
    /,
    *,
    checkpoint: Annotated[str, Parameter(name="--from")],
    new_id: Annotated[str, Parameter(name="--id")] = "",
    options: Annotated[Options, Parameter(name="*")] = NOTHING_ELSE,
    as_json: Json = False,
) -> int:
    """Start another run from a checkpoint of a run, which stays as it is and may be under way; print the result.

    Steps whose request does not change are answered from the records of the first run.

    Args:
        run: The id of the run that is forked.
        checkpoint: The checkpoint: a version of the run's state, a key or a step; 0 is the start.
        new_id: The id of the fork; one is made up where it is not given.
        options: What else is asked for.
        as_json: Print one JSON object.
    """
    order = options.order("fork", checkpoint, new_id or fork_id(run))
    return await carry_out(run, order, Output(as_json=as_json), confirmed=options.yes)
