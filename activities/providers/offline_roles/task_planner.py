"""Planner of a task graph: the parts of a goal as tasks, and one that makes a whole of them."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from activities.providers.offline_evidence import Evidence
from activities.providers.offline_matching import choose
from activities.providers.offline_planner import MAX_TASK, parts
from activities.providers.offline_roles.base import Request, items_of, options
from activities.providers.offline_sections import described
from activities.providers.offline_words import asked_words
from activities.text import words

MAX_ID = 40
_COMBINES_WORDS = """answer combine combines compare compares conclude concludes edit editor editors editing final join joins merge merges
    report reports reporter summarise summarises summarize summarizes summary summariser synthesis synthesise together whole
    write writes writer writing"""
_COMBINES = frozenset(_COMBINES_WORDS.split())
"""Words of an executor that makes one whole of what others have found."""
_LOOKS_WORDS = (
    "ask asks documents facts find finder finds folder look looks read reads research researcher search searches"
)
_LOOKS = frozenset(_LOOKS_WORDS.split())


@dataclass(frozen=True)
class TaskPlanner:
    """One task for each part; where there are several and somebody can combine them, one after all of them."""

    name: str
    fields: frozenset[str]
    goal: str
    executors: dict[str, str]
    room: int
    searches: bool = False

    def answers(self, evidence: Sequence[Evidence]) -> Iterator[Any]:
        """The graph, with fewer and fewer tasks."""
        del evidence
        asked = parts(self.goal)
        for count in (self.room, 8, 4, 2, 1):
            yield {self.name: self._tasks(asked, min(count, self.room))}

    def _tasks(self, asked: list[str], room: int) -> list[dict[str, Any]]:
        combiner = next((name for name, said in self.executors.items() if _says(name, said) & _COMBINES), "")
        finders = {name: said for name, said in self.executors.items() if name != combiner} or self.executors
        looking = {name: said for name, said in finders.items() if _says(name, said) & _LOOKS}
        combines = combiner and room > 1 and (len(asked) > 1 or bool(looking))
        tasks: list[dict[str, Any]] = []
        for part in asked[: room - bool(combines)]:
            choice = choose(finders, part)
            executor = choice.name if choice.said or not looking else next(iter(looking))
            task: dict[str, Any] = {"task_id": _id_of(part, tasks), "executor": executor, "task": part[:MAX_TASK]}
            other = next((name for name in looking if name not in {executor, combiner}), "")
            if other and "fallback" in self.fields:
                task["fallback"] = other
            tasks.append(task)
        if combines:
            last: dict[str, Any] = {"task_id": "whole", "executor": combiner, "task": self.goal[:MAX_TASK]}
            last |= {"after": [task["task_id"] for task in tasks]} if "after" in self.fields else {}
            last |= {"without": "run"} if "without" in self.fields else {}
            tasks.append(last)
        return tasks


def recognise(request: Request) -> TaskPlanner | None:
    """A list of tasks with ids, each for one of the executors."""
    for name, field in request.fields.items():
        inner = items_of(field)
        if {"task_id", "executor", "task"} <= set(inner) and options(inner["executor"]):
            told = {**described(request.instructions), **described(request.prompt)}
            executors = {executor: told.get(executor, "") for executor in options(inner["executor"])}
            most = field.get("maxItems")
            goal = request.reading.question or request.sections.task
            return TaskPlanner(name, frozenset(inner), goal, executors, most if isinstance(most, int) else 16)
    return None


def _says(name: str, description: str) -> set[str]:
    return {*words(name), *words(description)}


def _id_of(part: str, tasks: Sequence[dict[str, Any]]) -> str:
    """A short name in the part's words, unlike those before it."""
    said = re.sub(r"[^A-Za-z0-9]+", "-", "-".join(asked_words(part)[:3])).strip("-")[:MAX_ID].strip("-")
    name = said if said[:1].isalpha() else f"part-{len(tasks) + 1}"
    return name if all(task["task_id"] != name for task in tasks) and name != "whole" else f"{name}-{len(tasks) + 1}"
