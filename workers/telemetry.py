"""Tracing and logs: one trace id from the client to the model call, one JSON object a log line."""

import logging
import sys
from functools import cache
from typing import Any

import structlog
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from structlog.typing import EventDict, Processor, WrappedLogger
from temporalio import activity, workflow
from temporalio.client import Interceptor, OutboundInterceptor, StartWorkflowInput, WorkflowHandle
from temporalio.contrib.opentelemetry import create_tracer_provider

from activities.errors import redact
from activities.telemetry import current_step
from workers.settings import Settings

_tracer = trace.get_tracer("ostinato")


@cache
def start_tracing(otlp_endpoint: str) -> None:
    """Install the replay-safe tracer provider, once a process; spans leave only where an OTLP endpoint is set."""
    provider = create_tracer_provider(resource=Resource.create({"service.name": "ostinato"}))
    if otlp_endpoint:
        exporter = OTLPSpanExporter(endpoint=otlp_endpoint.rstrip("/") + "/v1/traces")
        provider.add_span_processor(BatchSpanProcessor(exporter))
    trace.set_tracer_provider(provider)


class TraceFromTheStart(Interceptor):
    """Opens a span around each start of a workflow, so that every run has a trace, whoever starts it.

    It stands before the OpenTelemetry interceptor, which hands the span's trace on to the workflow and its activities.
    """

    def intercept_client(self, next: OutboundInterceptor) -> OutboundInterceptor:  # noqa: A002 -- the SDK's name
        """See base class."""
        return _Starts(next)


class _Starts(OutboundInterceptor):
    async def start_workflow(self, input: StartWorkflowInput) -> WorkflowHandle[Any, Any]:  # noqa: A002 -- the SDK's name
        attributes = {"temporalWorkflowID": input.id}
        with _tracer.start_as_current_span(f"start {input.workflow}", attributes=attributes):
            return await super().start_workflow(input)


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
