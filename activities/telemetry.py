"""Whose work is being done right now, for logs and spans; and the span names, in one place.

An exception's text may hold a key or a document: it goes to the log, which redacts, and never into a span. The
``gen_ai.*`` names are the field's semantic conventions, which still move: only this module spells them.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from opentelemetry import trace

from activities.contracts.steps import StepKey, Usage

current_step: ContextVar[StepKey | None] = ContextVar("current_step", default=None)
"""The step of the activity that this task runs, if any."""

_tracer = trace.get_tracer("ostinato")


@contextmanager
def model_span(provider: str, model: str) -> Iterator[trace.Span]:
    """A span around one request to a model."""
    attributes = {"gen_ai.operation.name": "chat", "gen_ai.provider.name": provider, "gen_ai.request.model": model}
    with _tracer.start_as_current_span(
        f"chat {model}",
        kind=trace.SpanKind.CLIENT,
        attributes=attributes,
        record_exception=False,
        set_status_on_exception=False,
    ) as span:
        yield span


@contextmanager
def embedding_span(provider: str, model: str) -> Iterator[trace.Span]:
    """A span around one request to an embedding model."""
    operation = "embeddings"
    attributes = {"gen_ai.operation.name": operation, "gen_ai.provider.name": provider, "gen_ai.request.model": model}
    with _tracer.start_as_current_span(
        f"{operation} {model}",
        kind=trace.SpanKind.CLIENT,
        attributes=attributes,
        record_exception=False,
        set_status_on_exception=False,
    ) as span:
        yield span


@contextmanager
def tool_span(tool: str) -> Iterator[trace.Span]:
    """A span around one call of a tool."""
    attributes = {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": tool}
    with _tracer.start_as_current_span(
        f"execute_tool {tool}", attributes=attributes, record_exception=False, set_status_on_exception=False
    ) as span:
        yield span


def record_usage(span: trace.Span, usage: Usage) -> None:
    """Put the tokens of an answer on its span."""
    span.set_attribute("gen_ai.usage.input_tokens", usage.input_tokens)
    span.set_attribute("gen_ai.usage.output_tokens", usage.output_tokens)
