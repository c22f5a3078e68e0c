"""``check_quotes``: a gate for answers that quote, so that no quotation is invented and every line number is right."""

from collections.abc import Iterator
from typing import Any

from activities.tools.base import ToolContext, tool
from activities.tools.citations import Library, verify_quotation

MAX_PROBLEMS = 10
MAX_QUOTES = 1_000
"""Quotations of one answer that are checked."""


@tool(effect="read")
async def check_quotes(context: ToolContext, output: Any) -> list[str]:
    """Check every object with a quote and a source (path:line, or path:pPAGE of a PDF): it has to stand there, word for word.

    White space around the quote does not count, nor how it is spaced in a PDF; line ends may be written either way.
    """
    problems: list[str] = []
    library = Library(context.snapshot)
    for quote, source in _quotations(output):
        problem = (await verify_quotation(quote, source, library)).problem
        if problem:
            problems.append(problem)
        if len(problems) == MAX_PROBLEMS:
            break
    return problems


def _quotations(output: Any) -> Iterator[tuple[str, str]]:
    """All (quote, source) pairs of a JSON value, in document order. No recursion: the nesting is the model's choice."""
    stack, count = [output], 0
    while stack and count < MAX_QUOTES:
        value = stack.pop()
        if isinstance(value, dict):
            quote, source = value.get("quote"), value.get("source")
            if isinstance(quote, str) and isinstance(source, str):
                count += 1
                yield quote, source
            stack += reversed(list(value.values()))
        elif isinstance(value, list | tuple):
            stack += reversed(value)
