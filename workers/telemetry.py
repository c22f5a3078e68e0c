"""Tracing and logs: one trace id from the client to the model call, one JSON object a log line."""

import json
import logging
import re
import sys
from collections.abc import Mapping
from functools import cache
from typing import Any

import structlog
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from structlog.typing import EventDict, Processor, WrappedLogger
from temporalio import activity, workflow
from temporalio.api.common.v1 import Payload
from temporalio.client import Interceptor, OutboundInterceptor, StartWorkflowInput, WorkflowHandle
from temporalio.contrib.opentelemetry import create_tracer_provider
from temporalio.worker import (
    ActivityInboundInterceptor,
    ExecuteActivityInput,
    StartActivityInput,
    WorkflowInboundInterceptor,
    WorkflowInterceptorClassInput,
    WorkflowOutboundInterceptor,
)
from temporalio.worker import Interceptor as WorkerInterceptor
from temporalio.workflow import ActivityHandle

from activities.errors import redact
from activities.telemetry import current_step
from workers.settings import Settings

_OTEL_HEADER = "_tracer-data"
"""The SDK's name for the header with the W3C trace context as JSON."""
_PACKED_HEADER = "trace"
_PACKED_BYTES = 25
"""16 of the trace, 8 of the span, 1 of flags."""
_TRACE_PARENT = re.compile(rb'\{"traceparent": ?"00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})"\}')

_tracer = trace.get_tracer("ostinato")


@cache
def start_tracing(otlp_endpoint: str) -> None:
    """Install the replay-safe tracer provider, once a process; spans leave only where an OTLP endpoint is set."""
    provider = create_tracer_provider(resource=Resource.create({"service.name": "ostinato"}))
    if otlp_endpoint:
        exporter = OTLPSpanExporter(endpoint=otlp_endpoint.rstrip("/") + "/v1/traces")
        provider.add_span_processor(BatchSpanProcessor(exporter))
    trace.set_tracer_provider(provider)


class TraceFromTheStart(Interceptor, WorkerInterceptor):
    """Opens a span around each start of a workflow, so that every run has a trace, whoever starts it.

    It stands before the OpenTelemetry interceptor, which hands the span's trace on to the workflow and its activities.
    So it is also the last to see what a workflow sends to an activity, and the first to see what an activity is sent:
    there the trace is packed, because every step pays for it in history (62 bytes in place of 114).
    """

    def workflow_interceptor_class(
        self,
        input: WorkflowInterceptorClassInput,  # noqa: A002 -- the SDK's name
    ) -> type[WorkflowInboundInterceptor]:
        """See base class."""
        del input
        return _Packing

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:  # noqa: A002 -- the SDK's name
        """See base class."""
        return _Unpacking(next)

    def intercept_client(self, next: OutboundInterceptor) -> OutboundInterceptor:  # noqa: A002 -- the SDK's name
        """See base class."""
        return _Starts(next)


class _Starts(OutboundInterceptor):
    async def start_workflow(self, input: StartWorkflowInput) -> WorkflowHandle[Any, Any]:  # noqa: A002 -- the SDK's name
        attributes = {"temporalWorkflowID": input.id}
        with _tracer.start_as_current_span(f"start {input.workflow}", attributes=attributes):
            return await super().start_workflow(input)


class _Packing(WorkflowInboundInterceptor):
    def init(self, outbound: WorkflowOutboundInterceptor) -> None:
        super().init(_PackingOutbound(outbound))


class _PackingOutbound(WorkflowOutboundInterceptor):
    def start_activity(self, input: StartActivityInput) -> ActivityHandle[Any]:  # noqa: A002 -- the SDK's name
        input.headers = pack_trace(input.headers)
        return super().start_activity(input)


class _Unpacking(ActivityInboundInterceptor):
    async def execute_activity(self, input: ExecuteActivityInput) -> Any:  # noqa: A002 -- the SDK's name
        input.headers = unpack_trace(input.headers)
        return await super().execute_activity(input)


def pack_trace(headers: Mapping[str, Payload]) -> Mapping[str, Payload]:
    """The headers with the trace as bytes; as they are where they hold anything else than a trace (baggage, state)."""
    found = _TRACE_PARENT.fullmatch(headers[_OTEL_HEADER].data) if _OTEL_HEADER in headers else None
    if found is None:
        return headers
    packed = Payload(metadata={"encoding": b"binary/plain"}, data=bytes.fromhex(b"".join(found.groups()).decode()))
    return {**{name: value for name, value in headers.items() if name != _OTEL_HEADER}, _PACKED_HEADER: packed}


def unpack_trace(headers: Mapping[str, Payload]) -> Mapping[str, Payload]:
    """The headers as the OpenTelemetry interceptor knows them. Those of histories from before are so already."""
    packed = headers.get(_PACKED_HEADER)
    if packed is None or len(packed.data) != _PACKED_BYTES:
        return headers
    trace_, span, flags = packed.data[:16].hex(), packed.data[16:24].hex(), packed.data[24:].hex()
    data = json.dumps({"traceparent": f"00-{trace_}-{span}-{flags}"}).encode()
    return {**headers, _OTEL_HEADER: Payload(metadata={"encoding": b"json/plain"}, data=data)}


def start_logging(settings: Settings) -> None:
    """Log as JSON lines on standard error: time, level, event, and agent, task, run and trace where there are any."""
    shared: list[Processor] = [
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.ExtraAdder(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _add_identity,
    ]
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=shared,
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.dict_tracebacks,
            _Redactor(settings.secrets),
            structlog.processors.JSONRenderer(default=str),
        ],
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(formatter)
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(settings.log_level.upper())


def trace_id() -> str:
    """The trace that this code runs in, as 32 hexadecimal digits; empty outside of any."""
    context = trace.get_current_span().get_span_context()
    return f"{context.trace_id:032x}" if context.is_valid else ""


def _add_identity(logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
    """Say whose line it is."""
    del logger, method
    if activity.in_activity():
        event["run"] = activity.info().workflow_id
        event["attempt"] = activity.info().attempt
    elif workflow.in_workflow():
        event["run"] = workflow.info().workflow_id
    if step := current_step.get():
        event["agent"], event["task"] = step.path, f"{step.path}/{step.step}"
    if trace_ := trace_id():
        event["trace"] = trace_
    return event


class _Redactor:
    """Blank keys in every string of a line, tracebacks included."""

    def __init__(self, secrets: tuple[str, ...]) -> None:
        self._secrets = secrets

    def __call__(self, logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
        del logger, method
        return {key: self._clean(value) for key, value in event.items()}

    def _clean(self, value: object, depth: int = 0) -> object:
        if isinstance(value, str):
            return redact(value, self._secrets)
        if isinstance(value, dict) and depth < 6:
            return {key: self._clean(inner, depth + 1) for key, inner in value.items()}
        if isinstance(value, (list, tuple)) and depth < 6:
            return [self._clean(inner, depth + 1) for inner in value[:50]]
        return value
