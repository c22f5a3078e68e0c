"""MCP servers: what they may be, what their tools are, and the connections to them."""
