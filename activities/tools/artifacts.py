"""``write_artifact``: a file that an agent hands over, beside its answer."""

from activities.tools.base import ToolContext, tool

_MEDIA_TYPES = {
    "csv": "text/csv",
    "html": "text/html",
    "json": "application/json",
    "md": "text/markdown",
    "svg": "image/svg+xml",
    "xml": "application/xml",
}
"""By the name's ending; plain text otherwise."""


@tool(effect="idempotent")
async def write_artifact(context: ToolContext, name: str, text: str) -> str:
    """Save a text as a file of the result; name is a relative path such as report.md. The same name is replaced."""
    if context.artifacts is None:
        raise ValueError("files cannot be written outside a run")
    data = text.encode("utf-8", "replace")
    media_type = _MEDIA_TYPES.get(name.rpartition(".")[2].lower(), "text/plain")
    await context.artifacts.write(name, data, media_type)
    return f"saved {name}, {len(data):,} bytes"
