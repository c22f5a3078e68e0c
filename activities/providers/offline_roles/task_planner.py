"""Planner of a task graph: the parts of a goal as tasks, and one that makes a whole of them."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from activities.providers.offline_evidence import Evidence
from activities.providers.offline_matching import choose
from activities.providers.offline_planner import MAX_TASK, parts
from activities.providers.offline_roles.base import Blind, Request, items_of, options
from activities.providers.offline_sections import described
from activities.providers.offline_words import asked_words
from activities.text import words

MAX_ID = 40
MAX_SUCCESS = 8
"""Words of a part that its result has to speak of."""
_SUCCESS = re.compile(r"(?i)\bcounts? as done\b|\bsuccess")
_OUTPUTS = re.compile(r"so they have to be in it: ([^\n]*)\.(?:\n|$)")
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
class TaskPlanner(Blind):
    """One task for each part; where there are several and somebody can combine them, one after all of them."""

    name: str
    fields: frozenset[str]
    goal: str
    executors: dict[str, str]
    room: int
    says_success: bool = False
    """It is told to say when a task counts as done."""
    outputs: tuple[str, ...] = ()
    """Names that tasks at its end have to have."""

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
            if self.says_success:
                task["success"] = " ".join(asked_words(part)[:MAX_SUCCESS])
            other = next((name for name in looking if name not in {executor, combiner}), "")
            if other and "fallback" in self.fields:
                task["fallback"] = other
            tasks.append(task)
        if combines:
            last: dict[str, Any] = {"task_id": "whole", "executor": combiner, "task": self.goal[:MAX_TASK]}
            last |= {"after": [task["task_id"] for task in tasks]} if "after" in self.fields else {}
            last |= {"without": "run"} if "without" in self.fields else {}
            tasks.append(last)
        return _named(tasks, self.outputs)


def recognise(request: Request) -> TaskPlanner | None:
    """A list of tasks with ids, each for one of the executors."""
    for name, field in request.fields.items():
        inner = items_of(field)
        if {"task_id", "executor", "task"} <= set(inner) and options(inner["executor"]):
            told = {**described(request.instructions), **described(request.prompt)}
            executors = {executor: told.get(executor, "") for executor in options(inner["executor"])}
            most = field.get("maxItems")
            room, wanted = most if isinstance(most, int) else 16, _OUTPUTS.search(request.prompt)
            outputs = tuple(wanted[1].split(", ")) if wanted else ()
            judged = "success" in inner and bool(_SUCCESS.search(request.instructions))
            return TaskPlanner(name, frozenset(inner), request.goal, executors, room, judged, outputs)
    return None


def _named(tasks: list[dict[str, Any]], outputs: Sequence[str]) -> list[dict[str, Any]]:
    """The tasks, the last ones under the names that are asked for: those that combine come last."""
    names = {task["task_id"]: name for task, name in zip(reversed(tasks), reversed(outputs), strict=False)}
    for task in tasks:
        task["task_id"] = names.get(task["task_id"], task["task_id"])
        if "after" in task:
            task["after"] = [names.get(before, before) for before in task["after"]]
    return tasks


def _says(name: str, description: str) -> set[str]:
    return {*words(name), *words(description)}


def _id_of(part: str, tasks: Sequence[dict[str, Any]]) -> str:
    """A short name in the part's words, unlike those before it."""
    said = re.sub(r"[^A-Za-z0-9]+", "-", "-".join(asked_words(part)[:3])).strip("-")[:MAX_ID].strip("-")
    name = said if said[:1].isalpha() else f"part-{len(tasks) + 1}"
    return name if all(task["task_id"] != name for task in tasks) and name != "whole" else f"{name}-{len(tasks) + 1}"
