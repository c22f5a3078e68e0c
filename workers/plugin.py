"""The one plugin, shared by clients, workers, replayers and tests: converter, storage, sandbox, tracing, failure types.

Give it to the client only: its workers inherit it. A replayer takes it explicitly.
"""

import importlib
from functools import partial

from temporalio.contrib.opentelemetry import OpenTelemetryInterceptor
from temporalio.converter import (
    DataConverter,
    DefaultFailureConverter,
    DefaultFailureConverterWithEncodedAttributes,
    ExternalStorage,
    PayloadCodec,
    StorageDriver,
)
from temporalio.plugin import SimplePlugin
from temporalio.worker import WorkflowRunner
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner

from activities.contracts.base import INLINE_BYTES
from activities.errors import ConfigurationInvalid, OstinatoError
from activities.object_store import ObjectStore
from workers.converter import BoundedPayloadConverter
from workers.external_storage import ObjectStorageDriver
from workers.sandbox import LeanSandbox
from workers.settings import Settings
from workers.telemetry import TraceFromTheStart, start_tracing

PASSTHROUGH = ("activities", "opentelemetry", "regex")
"""Loaded once and shared with the sandbox: contracts and activity references, which hold no workflow state. ``regex``
imports itself when it compiles a pattern, such as one in the schema of a person's answer."""


def load_codec(settings: Settings) -> PayloadCodec | None:
    """The deployment's codec for history and blobs.

    Raises:
        ConfigurationInvalid: it cannot be imported, or is no PayloadCodec.
    """
    if not settings.codec:
        return None
    fix = "set OSTINATO_CODEC to module:factory, or to nothing"
    module, _, factory = settings.codec.partition(":")
    try:
        codec = getattr(importlib.import_module(module), factory)()
    except (ImportError, AttributeError, TypeError, ValueError) as error:
        raise ConfigurationInvalid(f"the codec {settings.codec!r} cannot be loaded: {error}", fix=fix) from error
    if not isinstance(codec, PayloadCodec):
        raise ConfigurationInvalid(f"{settings.codec!r} makes a {type(codec).__name__}, no PayloadCodec", fix=fix)
    return codec


def data_converter(codec: PayloadCodec | None, driver: StorageDriver) -> DataConverter:
    """Pydantic JSON, then the codec, then large payloads out of history."""
    return DataConverter(
        payload_converter_class=BoundedPayloadConverter,
        # Where payloads are coded, the messages of failures are: they quote documents and models.
        failure_converter_class=DefaultFailureConverterWithEncodedAttributes if codec else DefaultFailureConverter,
        payload_codec=codec,
        external_storage=ExternalStorage(drivers=[driver], payload_size_threshold=INLINE_BYTES + 1024),
    )


def ostinato_plugin(settings: Settings, *, driver: StorageDriver | None = None) -> SimplePlugin:
    """The plugin of a deployment; ``driver`` replaces the object store, as a replay from a bundle does."""
    start_tracing(settings.otlp_endpoint)
    storage = driver or ObjectStorageDriver(ObjectStore(settings.store_address))
    return SimplePlugin(
        "ostinato",
        data_converter=data_converter(load_codec(settings), storage),
        interceptors=[TraceFromTheStart(), OpenTelemetryInterceptor()],
        workflow_runner=partial(_sandboxed, coded=bool(settings.codec)),
        workflow_failure_exception_types=[OstinatoError],
    )


def _sandboxed(runner: WorkflowRunner | None, *, coded: bool) -> WorkflowRunner:
    if not isinstance(runner, SandboxedWorkflowRunner):
        raise ConfigurationInvalid("workflows run in the sandbox only", fix="leave workflow_runner unset")
    restrictions = runner.restrictions.with_passthrough_modules(*PASSTHROUGH)
    return LeanSandbox(restrictions=restrictions, runner_class=runner.runner_class, coded=coded)
