"""Tools: typed Python functions, registered with ``@tool`` (``base``). One module per built-in tool."""
