"""The gate: one decision on one proposed action, right before its effect (design, section 4)."""

from activities.records import request_hash


def action_hash(tool: str, arguments: str, task: str, expires_at: float) -> str:
    """What an approval is bound to: for another tool, other arguments, another task or a later hour it is worth nothing."""
    return request_hash({"tool": tool, "arguments": arguments, "task": task, "expires_at": expires_at})
