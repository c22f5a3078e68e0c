"""The pydantic models that cross the wire. Imports pydantic and the standard library only."""
