"""``ostinato check``: a team looked at before it costs anything, and what it may cost at most."""

from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from scripts.mermaid import flowchart
from scripts.team_tree import TeamTree
from scripts.terminal import COMPLETE, USAGE, Json, Output
from workers.checks.inspection import Inspection, inspect_team
from workers.deployment import load_tools
from workers.settings import load_settings


async def check(
    team: Path,
    /,
    *,
    provider: str = "",
    mermaid: Annotated[bool, Parameter(negative="")] = False,
    as_json: Json = False,
) -> int:
    """Check a team, and say what it may use at most: model calls, tokens, USD and time, of each node and in all.

    Args:
        team: The team file, such as scripts/teams/ask.yaml.
        provider: The provider of the models, such as openai, for its prices. The offline model where nobody says otherwise.
        mermaid: Print the tree as a Mermaid flowchart instead.
        as_json: Print one JSON object.
    """
    output, settings = Output(as_json=as_json), load_settings()
    found = inspect_team(team, settings, load_tools(settings), provider)
    tree = TeamTree(found.view) if found.is_sound else None
    for error in found.errors:
        output.note(f"error: {found.sentence(error)}")
        output.note(f"fix: {error.fix}")
    for warning in found.warnings:
        output.note(f"warning: {warning}")
    if tree and mermaid:
        output.text(flowchart(found.view.team))
    elif tree:
        for line in tree.lines():
            output.text(line)
    output.object(_object(found, tree))
    return USAGE if found.errors else COMPLETE


def _object(found: Inspection, tree: TeamTree | None) -> dict[str, Any]:
    team = found.view.team
    value: dict[str, Any] = {
        "team": f"{team.team}@{team.version}",
        "errors": [found.entry(finding) for finding in found.errors],
        "warnings": [found.entry(finding) for finding in found.findings if finding not in found.errors],
    }
    if found.errors:
        value["error"], value["fix"] = found.sentence(found.errors[0]), found.errors[0].fix
    if tree:
        value |= {"nodes": tree.rows(), "worst_case": tree.total(), "mermaid": flowchart(team)}
    return value
