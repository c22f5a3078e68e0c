"""The platform's own tools: answered inside the workflow, by what it holds. They cost no call and no event."""

from activities.contracts.profile import Effect, ToolSpec
from workflows.teams.agents import AgentSpec
from workflows.teams.tree import TeamSpec

TRANSFER = "transfer"
READ_STATE = "read_state"
PLATFORM_TOOLS = frozenset({TRANSFER, READ_STATE})
"""Names that no tool of a deployment may have."""

_READ_STATE = ToolSpec(
    name=READ_STATE,
    description="Read one key of the run's state: what an earlier step has made. A long value comes in parts.",
    parameters={
        "type": "object",
        "properties": {
            "key": {"type": "string", "description": "The key, such as the name of an earlier step."},
            "start": {"type": "integer", "minimum": 0, "description": "The character to begin at; 0 where absent."},
        },
        "required": ["key"],
        "additionalProperties": False,
    },
    effect=Effect.READ,
    platform=True,
)


def own_tools(agent: AgentSpec) -> tuple[str, ...]:
    """Its tools besides the platform's: each call of one of these is a tool call."""
    return tuple(tool for tool in agent.tools if tool not in PLATFORM_TOOLS)


def platform_tools(team: TeamSpec, agent: AgentSpec) -> tuple[ToolSpec, ...]:
    """Those that an agent has: ``read_state`` where it names it, ``transfer`` where it may transfer."""
    tools = (_READ_STATE,) if READ_STATE in agent.tools else ()
    return (*tools, _transfer(team, agent)) if agent.transfers_to else tools


def _transfer(team: TeamSpec, agent: AgentSpec) -> ToolSpec:
    targets = list(dict.fromkeys(agent.transfers_to))
    who = "\n".join(f"- {name}: {_about(team.agents[name])}" for name in targets if name in team.agents)
    return ToolSpec(
        name=TRANSFER,
        description=(
            "Hand your whole task on to another agent, who goes on in your place and answers; you do not get it back."
            f" Call it alone, with no other tool beside it. Agents:\n{who}"
        )[:4000],
        parameters={
            "type": "object",
            "properties": {
                "to": {"type": "string", "enum": list(targets)},
                "reason": {"type": "string", "description": "Why, and what you have found so far."},
            },
            "required": ["to", "reason"],
            "additionalProperties": False,
        },
        effect=Effect.READ,
        platform=True,
    )


def _about(agent: AgentSpec) -> str:
    """The first sentence of what an agent is told."""
    return " ".join(agent.instructions.split()).split(". ")[0][:200]
