"""What is wrong with task graphs, and which tasks are the output."""

import time
from typing import Any

import pytest

from workflows.planning.graph import outputs_of, problems
from workflows.teams.kinds.plan import PlanTask


def tasks(graph: dict[str, list[str]], **fields: Any) -> list[PlanTask]:
    """A graph by what each task comes after."""
    return [
        PlanTask.model_validate({"task_id": name, "executor": "e", "task": "do", "after": after, **fields})
        for name, after in graph.items()
    ]


DIAMOND = {"a": [], "b": ["a"], "c": ["a"], "d": ["b", "c"]}


@pytest.mark.parametrize(
    ("graph", "outputs", "wrong"),
    [
        (DIAMOND, [], []),
        (DIAMOND, ["d", "b"], []),
        ({}, [], ["the plan has no tasks"]),
        ({"a": ["a"]}, [], ["the task 'a' waits for itself"]),
        (
            {"free": [], "a": ["c", "free"], "b": ["a"], "c": ["b"], "after": ["c"]},
            [],
            ["tasks wait for each other in a circle: a -> c -> b -> a"],
        ),
        (
            {"a": ["b"], "b": ["a"], "c": ["d"], "d": ["c"]},
            [],
            [
                "tasks wait for each other in a circle: a -> b -> a",
                "tasks wait for each other in a circle: c -> d -> c",
            ],
        ),
        ({"a": ["x", "x"], "b": ["y"]}, [], ["the task 'a' waits for 'x', which is no task", "the task 'b' waits for 'y', which is no task"]),
        (DIAMOND, ["b"], ["no output needs the task 'c'", "no output needs the task 'd'"]),
        (DIAMOND, ["z"], ["the output 'z' is no task"]),
    ],
)  # fmt: skip
def test_a_graph_that_cannot_be_carried_out_says_why(
    graph: dict[str, list[str]], outputs: list[str], wrong: list[str]
) -> None:
    found = list(problems(tasks(graph), {"e"}, outputs))
    assert [problem.message for problem in found] == wrong
    assert all(problem.fix for problem in found)


def test_names_that_there_are_not_and_ids_that_there_are_twice() -> None:
    found = [
        *problems(tasks({"a": []}, fallback="f"), {"x"}),
        *problems([*tasks({"a": []}), *tasks({"a": []})], {"e"}),
        *problems(tasks({name: [] for name in "abc"}), {"e"}, (), 2),
    ]
    assert [(problem.message, problem.at) for problem in found] == [
        ("the task 'a' names the executor 'e', which there is not", ("tasks", "0", "executor")),
        ("the task 'a' names the fallback 'f', which there is not", ("tasks", "0", "fallback")),
        ("two tasks are called 'a'", ("tasks", "1", "task_id")),
        ("the plan has 3 tasks, and may have 2", ("tasks",)),
    ]


def test_the_output_is_what_is_named_else_what_no_task_waits_for() -> None:
    graph = tasks({**DIAMOND, "e": []})
    assert outputs_of(graph, ()) == ("d", "e")
    assert outputs_of(graph, ("b",)) == ("b",)


def test_the_largest_graph_is_looked_at_at_once() -> None:
    ring = {f"t{i}": [f"t{(i + j) % 100}" for j in range(1, 100)] for i in range(100)}
    started = time.process_time()
    found = list(problems(tasks(ring), {"e"}, ["t0"]))
    assert time.process_time() - started < 2
    assert len(found) == 1
    assert all("circle" in problem.message for problem in found)
