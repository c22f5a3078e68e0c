"""The workflow sandbox, not entered for questions whose answer does not lie in it.

For every payload of a workflow task, and again for each of the SDK's passes over it, SDK 1.35 asks the sandboxed
workflow in which context it is coded and where it would be stored: eleven entries into the sandbox a step, a
millisecond of CPU of which the workflow's own code takes none. Where nothing codes payloads the first question has no
use; and the second has one answer for everything but children, signals and a child's result: this workflow. All else is
passed on, and workflow code runs in the same sandbox as before.
"""

from dataclasses import dataclass
from typing import Any

from temporalio.api.enums.v1 import CommandType
from temporalio.bridge.proto.workflow_activation import WorkflowActivation
from temporalio.bridge.proto.workflow_completion import WorkflowActivationCompletion
from temporalio.converter import SerializationContext, StorageDriverStoreContext, StorageDriverWorkflowInfo
from temporalio.worker import WorkflowInstance, WorkflowInstanceDetails
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner
from temporalio.workflow import Info

_OWN = frozenset({None, CommandType.COMMAND_TYPE_SCHEDULE_ACTIVITY_TASK})
"""Commands whose payloads are stored under the workflow that makes them."""


@dataclass(frozen=True)
class LeanSandbox(SandboxedWorkflowRunner):
    """The SDK's sandbox."""

    coded: bool = True
    """There is a codec, so each payload's context matters."""

    def create_instance(self, det: WorkflowInstanceDetails) -> WorkflowInstance:
        """See base class."""
        return LeanInstance(super().create_instance(det), det.info, coded=self.coded)


class LeanInstance(WorkflowInstance):
    """One workflow in the sandbox; what needs no look inside is answered here."""

    def __init__(self, inner: WorkflowInstance, info: Info, *, coded: bool) -> None:
        """``coded``: payloads pass a codec, which may depend on their context."""
        self._inner = inner
        self._coded = coded
        target = StorageDriverWorkflowInfo(
            id=info.workflow_id, run_id=info.run_id, type=info.workflow_type, namespace=info.namespace
        )
        self._own = StorageDriverStoreContext(target=target)

    def activate(self, act: WorkflowActivation) -> WorkflowActivationCompletion:
        """See base class."""
        return self._inner.activate(act)

    def get_info(self) -> Info:
        """See base class."""
        return self._inner.get_info()

    def get_thread_id(self) -> int | None:
        """See base class."""
        return self._inner.get_thread_id()

    def get_serialization_context(self, command_info: Any) -> SerializationContext | None:
        """The context of a payload, where anybody uses it."""
        return self._inner.get_serialization_context(command_info) if self._coded else None

    def get_external_store_context(self, command_info: Any) -> StorageDriverStoreContext:
        """The workflow that a payload is stored for."""
        if (command_info and command_info.command_type) in _OWN:
            return self._own
        return self._inner.get_external_store_context(command_info)
