"""What a plan tells its agents. An executor is told its own task and what that task names, and nothing else of the plan."""

from collections.abc import Iterable, Mapping

from workflows.cutting import bounded
from workflows.teams.kinds.plan import ExecutorSpec, PlanTask


def for_planner(goal: str, executors: Mapping[str, ExecutorSpec], most: int, outputs: Iterable[str]) -> str:
    """The graph. What there is to work on is shown below it."""
    known = "\n".join(f"- {name}: {' '.join(spec.description.split())}" for name, spec in executors.items())
    named = ", ".join(outputs)
    return bounded(
        f"{goal}\n\nBreak this goal down into a plan of at most {most} tasks. Each is done by one of the executors, who sees"
        " nothing but its own task and the results of the tasks that it comes after. Tasks that need nothing of each other"
        " are done side by side; no task may wait for itself, not even through others."
        + (f" The plan's output is what these tasks come to, so they have to be in it: {named}." if named else "")
        + f"\n\nExecutors:\n{known}"
    )


def for_correction(problems: Iterable[str]) -> str:
    """What is wrong with a graph."""
    listed = "\n".join(f"- {problem}" for problem in problems)
    return bounded(f"Your plan cannot be carried out as it is:\n{listed}\nMake the whole plan again, corrected.")


def for_executor(task: PlanTask, lacking: Mapping[str, str], why: str) -> str:
    """One task. What it works on is shown below it.

    Args:
        task: the task.
        lacking: tasks before it that came to nothing, with the reasons.
        why: why the executor before did not succeed; empty for the first one.
    """
    parts = [task.task]
    if task.success:
        parts.append(f"It counts as done when this holds: {task.success}")
    if lacking:
        listed = "\n".join(f"- {name}: {reason}" for name, reason in lacking.items())
        parts.append(f"These results are missing, and your answer has to say so where it matters:\n{listed}")
    if why:
        parts.append(f"It was tried before, and did not succeed: {why}")
    return bounded("\n\n".join(parts))


def for_checker(task: PlanTask) -> str:
    """A criterion. The result is shown below it."""
    return bounded(
        "Judge whether the result below fulfils the criterion, and nothing else.\n\n"
        f"The task: {task.task}\n\nThe criterion: {task.success}"
    )


def for_synthesis(goal: str, missing: Iterable[str]) -> str:
    """One whole of the output. The results are shown below it."""
    gaps = "\n".join(f"- {line}" for line in missing)
    return bounded(
        f"{goal}\n\n"
        + (f"These parts are missing, and your answer has to say so:\n{gaps}\n\n" if gaps else "")
        + "Answer the goal from the results below, and from nothing else."
    )
