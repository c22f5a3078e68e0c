"""What a server answers, as the text that an agent reads."""

import json

from mcp_types import AudioContent, CallToolResult, EmbeddedResource, ImageContent, TextContent, TextResourceContents

from activities.mcp.base import McpToolError


def render(result: CallToolResult) -> str:
    """The text of a result. What is no text is named, not shown.

    Raises:
        McpToolError: the result is an error; its text.
    """
    parts = [_part(block) for block in result.content]
    if not parts and result.structured_content is not None:
        parts = [json.dumps(result.structured_content, ensure_ascii=False)]
    text = "\n".join(parts)
    if result.is_error:
        raise McpToolError(text or "the tool says that it failed, and nothing else")
    return text


def _part(block: object) -> str:
    if isinstance(block, TextContent):
        return block.text
    if isinstance(block, EmbeddedResource):
        if isinstance(block.resource, TextResourceContents):
            return block.resource.text
        return f"[{block.resource.mime_type or 'binary'} omitted: {block.resource.uri}]"
    if isinstance(block, ImageContent):
        return f"[image omitted: {block.mime_type}]"
    if isinstance(block, AudioContent):
        return f"[audio omitted: {block.mime_type}]"
    return f"[{getattr(block, 'type', 'content')}: {getattr(block, 'uri', 'omitted')}]"
