"""A pattern of one's own."""

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field, JsonValue

from activities.contracts.base import Name
from workflows.teams.kinds.base import Part, PatternBase

if TYPE_CHECKING:
    from workflows.teams.tree import Node


class WorkflowNode(PatternBase):
    """A pattern of one's own: a workflow that a module of this deployment defines."""

    kind: Literal["workflow"] = "workflow"
    name: Name = "workflow"
    workflow: Name
    """The workflow's type."""
    nodes: Annotated[dict[Name, "Node"], Field(max_length=64)] = {}
    """The nodes that it may run, by the names under which it asks for them."""
    arguments: dict[str, JsonValue] = {}
    """What it is configured with."""
    max_steps: Annotated[int, Field(ge=1, le=1000)] = 20
    """Steps that it makes at most: ``run_node``, ``call_model`` and ``call_tool`` together."""

    def parts(self) -> tuple[Part, ...]:
        """Its nodes, each as often as it may make steps."""
        return tuple(
            Part(f"nodes.{name}", node, most=self.max_steps, group="nodes", offers=("*",), step=f"{name}.1000")
            for name, node in self.nodes.items()
        )
