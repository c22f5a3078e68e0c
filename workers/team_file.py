"""Reads a team file: YAML without tags, aliases or duplicate keys; errors name file, line, field and the nearest word."""

import difflib
from errno import ENOENT
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError
from pydantic_core import ErrorDetails

from activities.contracts.mcp import McpServer, McpTool
from activities.contracts.profile import OutputContract
from activities.errors import ConfigurationInvalid
from workflows.teams.agents import AgentLimits, AgentSpec
from workflows.teams.tree import AgentNode, CallNode, SubtaskSpec, SupervisorNode, TeamSpec, WorkerSpec

MAX_BYTES = 256 * 1024
MAX_DEPTH = 40
_MODELS = (
    TeamSpec,
    AgentSpec,
    AgentLimits,
    AgentNode,
    CallNode,
    SupervisorNode,
    WorkerSpec,
    SubtaskSpec,
    McpServer,
    McpTool,
)
_WORDS = sorted(
    {field for model in _MODELS for field in model.model_fields}
    | {field.alias or name for name, field in OutputContract.model_fields.items()}
)

_KINDS = {"agent", "call", "supervisor"}


def load_team(path: Path | str) -> TeamSpec:
    """Read and check a team file.

    Raises:
        ConfigurationInvalid: one sentence with file, line and field, and a fix.
    """
    path = Path(path)
    try:
        if not path.is_file():
            raise FileNotFoundError(ENOENT, "no regular file" if path.exists() else "there is no such file")
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise ConfigurationInvalid(
            f"the team file {str(path)!r} cannot be read: {error.strerror}",
            fix="give a team file, such as scripts/teams/ask.yaml",
        ) from error
    if len(data) > MAX_BYTES:
        raise ConfigurationInvalid(f"{path}: a team file has at most {MAX_BYTES >> 10} KiB", fix="shorten it")
    lines: dict[tuple[str, ...], int] = {}
    try:
        node = yaml.compose(data.decode("utf-8"), Loader=yaml.SafeLoader)
        value = _plain(node, (), lines, path, seen=set())
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f"{path}:{mark.line + 1}" if mark else str(path)
        problem = getattr(error, "problem", None) or str(error)
        raise ConfigurationInvalid(f"{where}: not YAML: {problem}", fix="correct the file") from error
    try:
        return TeamSpec.model_validate(value, extra="forbid")
    except ValidationError as error:
        # A misspelt field is both unknown and missing; the unknown one says more.
        found = sorted(error.errors(include_url=False), key=lambda e: e["type"] != "extra_forbidden")
        raise _explain(found[0], lines, path) from error


def nearest(word: str, known: list[str]) -> str:
    """A proposal for a word that is not known, as the start of a fix; the known words where none is near."""
    close = difflib.get_close_matches(word, known, n=1)
    return f"did you mean {close[0]!r}?" if close else f"known are: {', '.join(known) or 'none'}"


def _plain(
    node: yaml.Node | None, at: tuple[str, ...], lines: dict[tuple[str, ...], int], path: Path, seen: set[int]
) -> Any:
    """YAML nodes as JSON values, the line of each path remembered."""
    if node is None:
        return None
    line = node.start_mark.line + 1
    lines[at] = line
    if id(node) in seen or len(at) > MAX_DEPTH:
        raise ConfigurationInvalid(
            f"{path}:{line}: aliases and deep nesting are not allowed", fix="write the value out"
        )
    seen.add(id(node))
    if isinstance(node, yaml.MappingNode):
        result: dict[str, Any] = {}
        for key_node, value_node in node.value:
            key, key_line = str(key_node.value), key_node.start_mark.line + 1
            if not isinstance(key_node, yaml.ScalarNode) or key in result:
                raise ConfigurationInvalid(
                    f"{path}:{key_line}: the key {key!r} stands here twice", fix="keep one of them"
                )
            result[key] = _plain(value_node, (*at, key), lines, path, seen)
            lines[*at, key] = key_line
        return result
    if isinstance(node, yaml.SequenceNode):
        return [_plain(item, (*at, str(index)), lines, path, seen) for index, item in enumerate(node.value)]
    if not node.tag.startswith("tag:yaml.org,2002:"):
        raise ConfigurationInvalid(f"{path}:{line}: YAML tags are not allowed: {node.tag}", fix="remove the tag")
    return yaml.SafeLoader("").construct_object(node)


def _explain(error: ErrorDetails, lines: dict[tuple[str, ...], int], path: Path) -> ConfigurationInvalid:
    # Pydantic puts the member of a union into the location; our paths do not have it.
    at: tuple[str, ...] = ()
    for part in map(str, error["loc"]):
        if part not in _KINDS or (*at, part) in lines:
            at = (*at, part)
    line = next((lines[at[:n]] for n in range(len(at), -1, -1) if at[:n] in lines), 1)
    field = ".".join(at) or "the file"
    word = at[-1] if at else ""
    match error["type"]:
        case "extra_forbidden":
            message, fix = f"the field {word!r} is not known", nearest(word, _WORDS)
        case "missing":
            message, fix = f"the field {word!r} is missing", f"add {word}:"
        case "literal_error":
            known = [
                part.strip(" '")
                for part in str(error.get("ctx", {}).get("expected", "")).replace(" or ", ",").split(",")
            ]
            message, fix = f"{error['input']!r} is not allowed here", nearest(str(error["input"]), known)
        case _:
            message, fix = error["msg"], f"correct {field}"
    return ConfigurationInvalid(f"{path}:{line}: {field}: {message}", fix=fix)
