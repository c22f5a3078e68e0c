"""The team of ``scripts/teams/brief.yaml`` around the offline model, without a server: every agent, every tool, the gate."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import JsonValue

from activities.contracts.messages import AssistantMessage, Message, ToolMessage, UserMessage
from activities.outputs import schema_validator
from activities.providers.base import ProviderCall
from activities.providers.offline import answer
from activities.tools.base import ToolContext
from activities.tools.briefs import verify_brief
from activities.tools.documents import read_document, search_documents
from activities.tools.quotes import check_quotes
from tests.tools.folder import Folder
from workers.team_check import complete
from workers.team_file import load_team
from workflows.supervision import prompts
from workflows.teams.tree import SubtaskSpec, SupervisorNode

BRIEF = Path(__file__).resolve().parents[2] / "scripts" / "teams" / "brief.yaml"
TEAM = complete(load_team(str(BRIEF)))
TOOLS = {tool.spec.name: tool for tool in (search_documents, read_document)}
MAX_TURNS = 6


class Agents:
    """Runs agents of the brief's team on one folder, one conversation each."""

    def __init__(self, folder: Folder) -> None:
        self.folder = folder
        self.calls = 0
        self.threads: dict[str, list[Message]] = {}

    async def ask(self, agent: str, prompt: str, thread: str = "") -> Any:
        """The agent's answer by its contract, tools and checks included."""
        spec = TEAM.agents[agent]
        assert spec.output
        messages = self.threads.setdefault(thread or f"{agent} {len(self.threads)}", [])
        messages.append(UserMessage(text=prompt))
        for _ in range(MAX_TURNS):
            self.calls += 1
            said = answer(
                ProviderCall(
                    model="extractive",
                    instructions=spec.instructions,
                    messages=messages,
                    tools=[TOOLS[name].spec for name in spec.tools],
                    output_schema=spec.output.schema_,
                    max_output_tokens=spec.limits.output_tokens,
                )
            )
            messages.append(AssistantMessage(text=said.text, tool_calls=said.tool_calls))
            for call in said.tool_calls:
                tool = TOOLS[call.tool]
                text = await tool(ToolContext("id", self.folder), tool.arguments.model_validate_json(call.arguments))
                messages.append(ToolMessage(tool_call_id=call.tool_call_id, tool=call.tool, text=text))
            if said.tool_calls:
                continue
            value = json.loads(said.text)
            assert not list(schema_validator(spec.output.schema_).iter_errors(value)), value
            problems = await check_quotes.function(ToolContext("id", self.folder), value) if spec.output.checks else []
            if not problems:
                return value
            messages.append(UserMessage(text="Your answer cannot be used:\n" + "\n".join(f"- {p}" for p in problems)))
        raise AssertionError(f"{agent} has no answer")


async def brief(folder: Folder, question: str, agents: Agents | None = None) -> dict[str, Any]:
    """The supervisor's work: the brief as the gate lets it through."""
    agents = agents or Agents(folder)
    root = TEAM.root
    assert isinstance(root, SupervisorNode)
    done: list[Mapping[str, JsonValue]] = []
    for number in range(1, root.rounds + 1):
        room = root.max_subtasks - len(done)
        first = prompts.for_planner(question, root.workers, room)
        prompt = first if number == 1 else prompts.for_follow_up(done, room)
        subtasks = (await agents.ask(root.planner or "", prompt, "planner"))["subtasks"]
        for at, subtask in enumerate(subtasks, 1):
            spec, name = SubtaskSpec.model_validate(subtask), f"s{number}-{at}"
            output = await agents.ask("researcher", prompts.for_worker(question, name, spec))
            assert output["subtask_id"] == name
            done.append({"subtask_id": name, "type": spec.type, "task": spec.task, "status": "complete",
                         "done_by": spec.type, "output": output})  # fmt: skip
    prompt = prompts.for_synthesis(question, done, [])
    for final in (False, True):
        draft = await agents.ask("writer", prompt, "writer")
        reviews = await agents.ask("checker", prompts.for_review(question, draft))
        decision: dict[str, Any] = await verify_brief.function(
            ToolContext("id", folder), question=question, draft=draft, reviews=reviews, final=final
        )
        if decision["accepted"]:
            break
        prompt = prompts.for_correction(decision["problems"])
    final_output: dict[str, Any] = decision["output"]
    return final_output
