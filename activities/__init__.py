"""Model calls, tool calls and the state that they leave behind: everything that touches the world."""
