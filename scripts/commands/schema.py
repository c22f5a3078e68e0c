"""``ostinato schema``: the JSON Schema of a team file, for editors."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from activities.errors import ConfigurationInvalid
from scripts.terminal import COMPLETE, Json, Output
from workers.team_schema import schema_text, team_schema


def schema(*, out: Annotated[Path | None, Parameter(name="--out")] = None, as_json: Json = False) -> int:
    """Print the schema; begin a team file with `# yaml-language-server: $schema=FILE` to have it checked while you write.

    Args:
        out: Write it into this file instead.
        as_json: Print one JSON object.
    """
    output = Output(as_json=as_json)
    if out is None:
        output.text(schema_text().rstrip("\n"))
        output.object(team_schema())
        return COMPLETE
    try:
        out.write_text(schema_text(), encoding="utf-8")
    except OSError as error:
        raise ConfigurationInvalid(
            f"the schema cannot be written to {str(out)!r}: {error.strerror}",
            fix="give a file in a folder that is there",
        ) from error
    output.text(f"written: {out}")
    output.object({"path": str(out)})
    return COMPLETE
