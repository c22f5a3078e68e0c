"""Workflows of this deployment's own: the modules of ``OSTINATO_WORKFLOW_MODULES``, checked before anything uses them."""

import importlib
import inspect
import re
from collections.abc import Iterator, Sequence
from types import ModuleType
from typing import Any

from activities.errors import ConfigurationInvalid, redact
from workers.settings import Settings
from workflows.contracts import RunInput, RunResult
from workflows.teams.problems import nearest
from workflows.teams.tree import TeamSpec, WorkflowNode, walk

_NAME = re.compile(r"^[A-Za-z][A-Za-z0-9_-]{0,63}$")
_FIX = "correct OSTINATO_WORKFLOW_MODULES"


def load_workflows(settings: Settings, built_in: Sequence[type]) -> tuple[type, ...]:
    """The built-in workflows, and those of the deployment's modules.

    Raises:
        ConfigurationInvalid: a module cannot be imported or has no workflow, or one of them cannot be used.
    """
    known = {_definition(workflow).name: workflow for workflow in built_in}
    for name in settings.workflow_modules:
        for workflow in _workflows_of(_imported(name)):
            own = _checked(workflow)
            if known.get(own, workflow) is not workflow:
                taken = "a built-in one" if known[own] in built_in else f"another, in {known[own].__module__}"
                raise ConfigurationInvalid(
                    f"the workflow {own!r} of the module {name!r} has the name of {taken}",
                    fix='give it a name of its own: @workflow.defn(name="...")',
                )
            known[own] = workflow
    return tuple(known.values())


def check_workflows(team: TeamSpec, settings: Settings, built_in: Sequence[type]) -> None:
    """Refuse a team whose own workflows this deployment does not have.

    Raises:
        ConfigurationInvalid: naming the workflow, and the nearest one that there is.
    """
    nodes = [node for node in walk(team.root) if isinstance(node, WorkflowNode)]
    if not nodes:
        return
    known = {_definition(workflow).name for workflow in load_workflows(settings, built_in)}
    own = sorted(known - {_definition(workflow).name for workflow in built_in})
    for node in nodes:
        if node.workflow not in own:
            more = "" if own else "; set OSTINATO_WORKFLOW_MODULES to the module that defines it"
            raise ConfigurationInvalid(
                f"the node {node.name!r} names the workflow {node.workflow!r}, which this deployment does not have",
                fix=f"{nearest(node.workflow, own)}{more}",
            )


def not_for_the_sandbox(error: RuntimeError) -> ConfigurationInvalid | None:
    """What to say where the SDK finds at a worker's start that a workflow cannot be loaded in the sandbox."""
    said = str(error)
    if not said.startswith("Failed validating workflow"):
        return None
    cause: BaseException = error
    for _ in range(20):
        cause = cause.__cause__ or cause
    return ConfigurationInvalid(
        f"the workflow {said.rpartition(' ')[2]!r} cannot be loaded in the sandbox: {redact(str(cause))[:300]}",
        fix="import what is no workflow code inside: with workflow.unsafe.imports_passed_through()",
    )


def _imported(name: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except Exception as error:  # whatever a module raises while it is imported
        problem = f"{type(error).__name__}: {error}" if not isinstance(error, ImportError) else str(error)
        raise ConfigurationInvalid(f"the workflow module {name!r} cannot be imported: {problem}", fix=_FIX) from error


def _workflows_of(module: ModuleType) -> Iterator[type]:
    """The workflows that a module defines; what it imports is not its own."""
    found = [
        value
        for value in vars(module).values()
        if inspect.isclass(value) and value.__module__ == module.__name__ and _definition(value)
    ]
    if not found:
        raise ConfigurationInvalid(f"the module {module.__name__!r} defines no workflow", fix=_FIX)
    yield from found


def _checked(workflow: type) -> str:
    """The name under which it is known.

    Raises:
        ConfigurationInvalid: it has none of its own, or does not take and return what every pattern does.
    """
    definition, where = _definition(workflow), f"the workflow class {workflow.__name__!r} of {workflow.__module__!r}"
    if definition.name == workflow.__name__ or not _NAME.match(definition.name or ""):
        raise ConfigurationInvalid(
            f"{where} has no name of its own: it would be lost when the class is renamed",
            fix='pin one, unlike the class\'s: @workflow.defn(name="second_opinion")',
        )
    if list(definition.arg_types or ()) != [RunInput] or definition.ret_type is not RunResult:
        raise ConfigurationInvalid(
            f"{where} is no pattern", fix="declare: @workflow.run async def run(self, run: RunInput) -> RunResult"
        )
    return str(definition.name)


def _definition(workflow: type) -> Any:
    """The SDK's definition of a workflow class: its own, not inherited."""
    return vars(workflow).get("__temporal_workflow_definition")
