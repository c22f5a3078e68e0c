"""Reads a team file; errors name file, line and field, and propose the nearest word."""

import json
from errno import ENOENT
from pathlib import Path

from pydantic import ValidationError

from activities.errors import ConfigurationInvalid
from workers.team_yaml import Lines, read_yaml
from workflows.teams.problems import nearest, problems_of
from workflows.teams.tree import TeamSpec

__all__ = ["Lines", "line_of", "load_team", "load_team_with_lines", "nearest"]

MAX_BYTES = 256 * 1024


def load_team(path: Path | str) -> TeamSpec:
    """Read and check a team file.

    Raises:
        ConfigurationInvalid: one sentence with file, line and field, and a fix.
    """
    return load_team_with_lines(path)[0]


def load_team_with_lines(path: Path | str) -> tuple[TeamSpec, Lines]:
    """The same, and the line of each field: a path from the top, such as ``("root", "stages", "0")``.

    Raises:
        ConfigurationInvalid: one sentence with file, line and field, and a fix.
    """
    path = Path(path)
    value, lines = read_yaml(_read(path), path)
    try:
        # Strict, as editors are by the schema: the text "5" is no number, and 1 no truth.
        team = TeamSpec.model_validate_json(json.dumps(value), strict=True, extra="forbid")
    except ValidationError as error:
        at, message, fix = problems_of(TeamSpec, error)[0]
        field = ".".join(at)[:200] or "the file"
        raise ConfigurationInvalid(f"{path}:{line_of(at, lines)}: {field}: {message}", fix=fix) from error
    return team, lines


def line_of(at: tuple[str, ...], lines: Lines) -> int:
    """The line of a place; of what it stands in, where it is not written down itself."""
    return next((lines[at[:n]] for n in range(len(at), -1, -1) if at[:n] in lines), 1)


def _read(path: Path) -> bytes:
    try:
        if not path.is_file():
            raise FileNotFoundError(ENOENT, "no regular file" if path.exists() else "there is no such file")
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        raise ConfigurationInvalid(
            f"the team file {str(path)!r} cannot be read: {getattr(error, 'strerror', None) or error}",
            fix="give a team file, such as scripts/teams/ask.yaml",
        ) from error
    if len(data) > MAX_BYTES:
        raise ConfigurationInvalid(f"{path}: a team file has at most {MAX_BYTES >> 10} KiB", fix="shorten it")
    return data
