"""Reads the deployment's policy file, YAML or TOML: strictly, so that a rule never means less than its writer thinks.

It is read when a worker starts, and a file that is not right keeps the worker from starting. A change takes a restart:
so all decisions of one worker are by one policy.
"""

import json
import tomllib
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from activities.contracts.grants import ArgumentRule, Verdict
from activities.contracts.mcp import SEPARATOR, server_of
from activities.contracts.people import Asking, Choice
from activities.contracts.profile import AgentProfile, Effect
from activities.errors import ConfigurationInvalid
from activities.grants import check_rules
from activities.lookalikes import lookalike, unknown
from activities.policy import Action, Policy, PolicyRule
from activities.tools.base import Tool
from workers.checks.people import never_comes
from workers.team_file import line_of, nearest
from workers.team_yaml import Lines, read_yaml
from workflows.human_checks import check_asking
from workflows.teams.problems import problems_of
from workflows.teams.tree import CallNode, TeamSpec, walk

NO_POLICY = Path("none")
"""In place of a file: the deployment has no policy any more."""
MAX_BYTES = 1024 * 1024
MAX_NOTES = 20


def load_policy(path: Path | None, tools: Mapping[str, Tool]) -> Policy | None:
    """Read and check a policy file; ``None`` where the deployment has none.

    Args:
        path: the setting ``policy``; ``none`` is none.
        tools: those of this deployment; tools of MCP servers (``server__tool``) are known only to them.

    Raises:
        ConfigurationInvalid: one sentence with file and line, and a fix.
    """
    if path is None or path == NO_POLICY:
        return None
    value, lines = _read(path)
    _check_letters(value, path, lines, tools)
    try:
        policy = Policy.model_validate_json(json.dumps(value), strict=True, extra="forbid")
    except ValidationError as error:
        at, message, fix = problems_of(Policy, error)[0]
        field = ".".join(at)[:200] or "the file"
        raise ConfigurationInvalid(f"{path}:{line_of(at, lines)}: {field}: {message}", fix=fix) from error
    for number, rule in enumerate(policy.rules):
        _check(rule, ("rules", str(number)), path, lines, tools)
    return policy


def foreseen(
    policy: Policy | None, team: TeamSpec, profiles: Mapping[str, AgentProfile]
) -> tuple[tuple[str, ...], float]:
    """What a policy will say to a team, as far as its client knows it. It decides nothing: the workers' policy does.

    Returns:
        A note on each tool that is never allowed, and the seconds that people may take where it asks them.
    """
    if policy is None:
        return (), 0.0
    notes: list[str] = []
    asks = False
    for name, profile in profiles.items():
        for tool, effect in _effects(team, name, profile).items():
            verdicts = policy.possible(Action(tool, effect, team.team, name))
            asks = asks or Verdict.ASK in verdicts
            if verdicts <= {Verdict.BLOCK, Verdict.HALT}:
                notes.append(f"the deployment's policy never allows {name} to call {tool}")
        for spec in profile.compensations:  # nobody is asked while a run ends
            verdicts = policy.possible(Action(spec.name, spec.effect, team.team, name))
            if not verdicts & {Verdict.PROCEED, Verdict.EDIT}:
                undone = ", ".join(tool.name for tool in profile.tools if tool.compensate == spec.name)
                notes.append(
                    f"the deployment's policy lets nothing undo what {undone} of {name} does: no rule lets {spec.name} proceed"
                )
    return tuple(notes[:MAX_NOTES]), team.people.seconds if asks else 0.0


def _effects(team: TeamSpec, name: str, profile: AgentProfile) -> dict[str, Effect]:
    """The tools of an agent or call, those of MCP servers included, with the effects that count."""
    calls = [node.tool for node in walk(team.root) if isinstance(node, CallNode) and node.name == name]
    named = team.agents[name].tools if name in team.agents else tuple(calls)
    theirs = {tool: Effect.IDEMPOTENT for tool in named if server_of(tool, team.mcp)}
    return {**{spec.name: spec.effect for spec in profile.tools if not spec.platform}, **theirs}


def _check(rule: PolicyRule, at: tuple[str, ...], path: Path, lines: Lines, tools: Mapping[str, Tool]) -> None:
    def place(field: str) -> str:
        return f"{path}:{line_of((*at, field), lines)}: {field}"

    for pattern in rule.tool:
        if SEPARATOR not in pattern and not _names(pattern, tools):
            raise ConfigurationInvalid(
                f"{place('tool')}: it names the tool {pattern!r}, {unknown(pattern, tools)}",
                fix=nearest(pattern, sorted(tools)),
            )
    if rule.asking:
        _check_asking(rule.asking, (*at, "asking"), path, lines)
    known = _arguments_of(rule, tools)
    for field, names in (("arguments", rule.arguments), ("replace", rule.replace), ("limit", rule.limit)):
        for name in names if known is not None else ():
            if name not in (known or ()):
                raise ConfigurationInvalid(
                    f"{place(field)}: it names the argument {name!r}, {unknown(name, known or ())}",
                    fix=nearest(name, sorted(known or ())),
                )
    rules: Iterable[tuple[str, Mapping[str, ArgumentRule]]] = (("arguments", rule.arguments), ("limit", rule.limit))
    for field, conditions in rules:
        check_rules(conditions, place(field))


def _check_asking(asking: Asking, at: tuple[str, ...], path: Path, lines: Lines) -> None:
    """Refuse a way of asking that cannot work, before anybody waits for it."""
    offered = (Choice.APPROVE, Choice.EDIT, Choice.REJECT)
    found = list(never_comes(asking))
    if asking.default is not None and asking.default not in offered:
        found += [("default", f"an action is not decided by {asking.default}", f"write one of {', '.join(offered)}")]
    elif asking.default is Choice.EDIT and not isinstance(asking.default_answer, dict):
        found += [("default", "the default edit needs the arguments to use as default_answer", "add default_answer")]
    for field, message, fix in found:
        raise ConfigurationInvalid(f"{path}:{line_of((*at, field), lines)}: asking.{field}: {message}", fix=fix)
    try:
        check_asking(asking, offered)
    except ConfigurationInvalid as error:
        raise ConfigurationInvalid(f"{path}:{line_of(at, lines)}: asking: {error}", fix=error.fix) from error


def _check_letters(value: Any, path: Path, lines: Lines, tools: Iterable[str]) -> None:
    """Refuse a tool's name in letters of another alphabet for what it is, before it is refused for its form."""
    rules = value.get("rules") if isinstance(value, dict) else None
    for number, rule in enumerate(rules if isinstance(rules, list) else ()):
        named = rule.get("tool") if isinstance(rule, dict) else None
        for name in named if isinstance(named, list) else [named]:
            if isinstance(name, str) and not name.isascii() and (like := lookalike(name.rstrip("*"), tools)):
                at = line_of(("rules", str(number), "tool"), lines)
                raise ConfigurationInvalid(
                    f"{path}:{at}: tool: it names the tool {name[:80]!r}, {unknown(name.rstrip('*'), tools)}",
                    fix=f"write {like!r} with plain letters",
                )


def _names(pattern: str, tools: Iterable[str]) -> list[str]:
    """The tools that a pattern means."""
    return [tool for tool in tools if (tool.startswith(pattern[:-1]) if pattern.endswith("*") else tool == pattern)]


def _arguments_of(rule: PolicyRule, tools: Mapping[str, Tool]) -> Collection[str] | None:
    """All arguments of the tools that a rule may mean; ``None`` where some are known only to their MCP server."""
    if any(SEPARATOR in pattern or pattern == "*" for pattern in rule.tool):
        return None
    meant = {name for pattern in rule.tool for name in _names(pattern, tools)}
    return {argument for name in meant for argument in tools[name].arguments.model_fields}


def _read(path: Path) -> tuple[Any, Lines]:
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        raise ConfigurationInvalid(
            f"the policy file {str(path)!r} cannot be read: {getattr(error, 'strerror', None) or error}",
            fix="correct OSTINATO_POLICY, or unset it",
        ) from error
    if len(data) > MAX_BYTES:
        raise ConfigurationInvalid(f"{path}: a policy file has at most {MAX_BYTES >> 20} MiB", fix="shorten it")
    if path.suffix != ".toml":
        return read_yaml(data, path)
    try:
        text = data.decode("utf-8")
        return tomllib.loads(text), _lines_of_toml(text)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ConfigurationInvalid(f"{path}: not TOML: {error}", fix="correct the file") from error


def _lines_of_toml(text: str) -> Lines:
    """The line of each rule; the reader of the standard library tells no others."""
    numbers = [
        line for line, said in enumerate(text.splitlines(), start=1) if said.split("#")[0].strip() == "[[rules]]"
    ]
    return {("rules", str(index)): line for index, line in enumerate(numbers)}
