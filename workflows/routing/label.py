"""The label: by the first rule that holds, else by a classifier that is sure, else the default, else a person."""

from dataclasses import dataclass

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from pydantic import JsonValue

    from activities.errors import ContractViolated
    from workflows.contracts import RunStatus
    from workflows.escalation import after_nobody_helped
    from workflows.part_asks import Ask, PartFailed
    from workflows.pattern_work import PatternWork
    from workflows.routing import prompts
    from workflows.routing.rules import first_that_holds
    from workflows.teams.kinds.base import choice, record
    from workflows.teams.tree import RouterNode

CLASSIFY = "classify"
"""The step of the classifier, and of the person who decides in its place. Destinations' steps begin with ``to-``."""


@dataclass(frozen=True)
class Unsure:
    """Why there is no label so far."""

    why: str
    failed: PartFailed | None = None
    """The classifier's own failure, where that is the reason."""


async def label_of(work: PatternWork[RouterNode]) -> str:
    """The label of what is routed; how it was found is in the decision log.

    Raises:
        ContractViolated: nobody is sure, and nobody else is to decide.
        PartFailed: the classifier failed, and nobody else is to decide.
        CancelledError: the run was stopped.
    """
    node = work.node
    index = first_that_holds(node.rules, _routed(work))
    if index is not None:
        return _decided(work, node.rules[index].to, f"rule {index + 1} holds")
    found = await _classified(work)
    if isinstance(found, str):
        return found
    if node.default is not None:
        if found.failed:
            work.frame.note(notes=[f"the router {node.name!r} took its default: {found.why}"[:1000]])
        return _decided(work, node.default, f"the default: {found.why}")
    return await _chosen(work, found)


def _routed(work: PatternWork[RouterNode]) -> JsonValue:
    return work.goal if work.given is None else work.given


async def _classified(work: PatternWork[RouterNode]) -> str | Unsure:
    node = work.node
    if node.classifier is None:
        return Unsure("no rule holds" if node.rules else "nothing decides")
    prompt = prompts.for_classifier(work.goal, work.given, node.routes)
    result = await work.run(
        "classifier", CLASSIFY, Ask(prompt=prompt, given=work.given, material=_routed(work)), escalate=False
    )
    said = result.output
    if result.status is RunStatus.FAILED:
        message = result.failure.message if result.failure else "it failed"
        return Unsure(f"the classifier failed: {message}", PartFailed(result))
    if not isinstance(said, dict):  # it was left out
        return Unsure("the classifier gave no answer")
    label, confidence, reason = str(said.get("label", "")), _number(said.get("confidence")), str(said.get("reason", ""))
    if label not in node.routes:  # a constant that stands in for the classifier is nobody's answer
        return Unsure(f"there is no destination {label[:64]!r}")
    if confidence < node.threshold:
        return Unsure(f"the classifier says {label!r} with confidence {confidence:g}, below {node.threshold:g}")
    return _decided(work, label, f"the classifier, confidence {confidence:g}{f': {reason}' if reason else ''}")


async def _chosen(work: PatternWork[RouterNode], unsure: Unsure) -> str:
    """The label that the person of ``escalate`` chooses."""
    node = work.node
    ask = Ask(
        prompt=prompts.for_person(work.goal, work.given, node.routes),
        given=work.given,
        key=CLASSIFY,
        reasons=(unsure.why[:1000],),
    )
    answers = record({"label": choice(tuple(node.routes), "Where it belongs.")})
    said = await work.asked(CLASSIFY, ask, answers)
    if (
        said
        and said.status is not RunStatus.FAILED
        and isinstance(said.output, dict)
        and said.output.get("label") in node.routes
    ):
        return _decided(work, str(said.output["label"]), f"{node.escalate.name if node.escalate else 'a person'} chose")
    no = said.failure.message if said and said.failure else ""
    if unsure.failed:
        raise PartFailed(after_nobody_helped(unsure.failed.result, said)) if said else unsure.failed
    raise ContractViolated(
        f"the router {node.name!r} found no destination: {unsure.why[:500]}{f'; {no[:400]}' if no else ''}",
        fix="give it a default or a person (escalate), a rule for what it was given, or a lower threshold",
    )


def _decided(work: PatternWork[RouterNode], label: str, why: str) -> str:
    work.frame.decide(f"{work.node.name} goes to {label}: {why}")
    return label


def _number(value: JsonValue) -> float:
    return float(value) if isinstance(value, int | float) else 0.0
