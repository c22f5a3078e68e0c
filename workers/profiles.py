"""Profiles: what the activities need to know of each agent and call, resolved and frozen at admission."""

from collections.abc import Iterable, Mapping

from activities.contracts.profile import AgentProfile, Effect, ModelChoice, ToolSpec
from activities.errors import ConfigurationInvalid
from activities.input_contracts import check_input_schema
from activities.outputs import check_schema
from activities.tools.base import Tool
from workers.grants import frozen_grants
from workers.mcp import is_mcp_tool, split_mcp_tools
from workers.model_plan import resolve_models
from workers.own_workflows import check_workflows
from workers.pools import ALL_WORKFLOWS, PROVIDERS
from workers.settings import Settings
from workers.team_check import check_parts
from workers.team_file import nearest
from workflows.teams.agents import AgentSpec
from workflows.teams.platform import READ_STATE, platform_tools
from workflows.teams.tree import AgentNode, CallNode, TeamSpec, node_name, plan_name, walk

Tools = Mapping[str, Tool]


def build_profiles(team: TeamSpec, settings: Settings, tools: Tools, provider: str) -> dict[str, AgentProfile]:
    """The profile of every agent and call of a completed team, by name.

    Raises:
        ConfigurationInvalid: an unknown tool, check, provider or tier, arguments that a tool would refuse, or a contract
            that is no JSON Schema.
    """
    if provider not in PROVIDERS:
        raise ConfigurationInvalid(f"the provider {provider!r} is not known", fix=nearest(provider, list(PROVIDERS)))
    check_workflows(team, settings, ALL_WORKFLOWS)
    check_parts(team, tools)
    for node in walk(team.root):
        if node.input is not None:
            check_input_schema(node.input, f"the node {node_name(node)!r}")
    identity, grants = f"{team.team}/{{}}@{team.version}", frozen_grants(team)
    profiles = {}
    for node in walk(team.root):
        if isinstance(node, CallNode):
            # The tools of MCP servers are listed where the run begins, by a worker that may reach them.
            own = () if is_mcp_tool(team, node.tool) else (_tool(node.tool, tools, f"the call {node.name!r}"),)
            profiles[node.name] = AgentProfile(
                agent=identity.format(node.name),
                tools=own,
                grants=grants.get(node.name, {}),
                compensations=_compensations(own, tools),
            )
    for name, agent in team.agents.items():
        models = resolve_models(name, agent, settings, provider)
        own_tools, _ = split_mcp_tools(team, agent)
        own_agent = agent.model_copy(update={"tools": tuple(tool for tool in own_tools if tool != READ_STATE)})
        platform = platform_tools(team, agent)
        profile = _profile(identity.format(name), name, own_agent, tools, models)
        given = {"tools": (*profile.tools, *platform), "grants": grants.get(name, {})}
        profiles[name] = profile.model_copy(update=given)
    for node in walk(team.root):
        if isinstance(node, AgentNode) and plan_name(node) not in profiles:
            profiles[plan_name(node)] = _varied(profiles[node.agent], team.agents[node.agent], node, settings, provider)
    return profiles


def _varied(
    profile: AgentProfile, agent: AgentSpec, node: AgentNode, settings: Settings, provider: str
) -> AgentProfile:
    """An agent's profile in a place that says something of its own."""
    given: dict[str, object] = {}
    if node.tier:
        on_tier = agent.model_copy(update={"tier": node.tier, "model": None})
        given["models"] = resolve_models(node.agent, on_tier, settings, provider)
    if node.temperature is not None:
        given["temperature"] = node.temperature
    if node.persona:
        given["instructions"] = f"{profile.instructions}\n\n{node.persona}"
    return profile.model_copy(update=given)


def _profile(identity: str, name: str, agent: AgentSpec, tools: Tools, models: tuple[ModelChoice, ...]) -> AgentProfile:
    where = f"the agent {name!r}"
    if agent.output:
        check_schema(agent.output.schema_)
    checks = tuple(_tool(check, tools, where) for check in (agent.output.checks if agent.output else ()))
    for check in checks:
        if check.effect is not Effect.READ:
            raise ConfigurationInvalid(
                f"the check {check.name!r} of {where} has effects", fix="use a tool of effect read"
            )
    own = tuple(_tool(tool, tools, where) for tool in dict.fromkeys(agent.tools))
    return AgentProfile(
        agent=identity,
        instructions=agent.instructions,
        tools=own,
        checks=checks,
        compensations=_compensations(own, tools),
        output=agent.output,
        models=models,
        temperature=agent.temperature,
        max_output_tokens=agent.limits.output_tokens,
    )


def _compensations(specs: Iterable[ToolSpec], tools: Tools) -> tuple[ToolSpec, ...]:
    """The tools that undo what these do, each once."""
    found = [_tool(spec.compensate, tools, f"the tool {spec.name!r}") for spec in specs if spec.compensate]
    return tuple({spec.name: spec for spec in found}.values())


def _tool(name: str, tools: Tools, where: str) -> ToolSpec:
    if name not in tools:
        raise ConfigurationInvalid(
            f"{where} names the tool {name!r}, which is not known", fix=nearest(name, sorted(tools))
        )
    return tools[name].spec
