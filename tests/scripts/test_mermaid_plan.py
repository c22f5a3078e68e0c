"""A plan whose graph is the team's is drawn with its tasks, what they come after, and who does them."""

from scripts.mermaid import flowchart
from workflows.teams.tree import TeamSpec


def test_a_teams_own_graph_is_drawn_task_by_task() -> None:
    node = {"kind": "call", "name": "one", "tool": "echo", "arguments": {"text": "$task"}}
    tasks = [
        {"task_id": "facts", "executor": "find", "task": "find", "success": "yes"},
        {"task_id": "draft", "executor": "find", "task": "write", "after": ["facts"], "fallback": "other"},
    ]
    root = {
        "kind": "plan",
        "executors": {"find": {"node": node}, "other": {"node": {**node, "name": "two"}}},
        "checker": {"kind": "call", "name": "check", "tool": "echo", "arguments": {"text": "$result"}},
        "synthesis": {"kind": "call", "name": "sum", "tool": "echo", "arguments": {"text": "$results"}},
        "tasks": tasks,
    }
    lines = [line.strip() for line in flowchart(TeamSpec.model_validate({"team": "t", "root": root})).splitlines()]
    assert lines[-1] == "end"
    drawn = [line for line in lines if "n_k" in line]
    assert drawn == [
        'n_k0("facts")',
        "n_k0 -.- n_0",
        "n_k0 -. success .- n_2",
        'n_k1("draft")',
        "n_k0 --> n_k1",
        "n_k1 -.- n_0",
        "n_k1 -. fails .- n_1",
        "n_k1 --> n_3",
    ]
