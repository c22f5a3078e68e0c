"""Pipeline: ordered stages."""

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from activities.contracts.base import Name
from workflows.teams.kinds.base import NodeBase, Part, PatternBase

if TYPE_CHECKING:
    from workflows.teams.tree import Node

MAX_STAGES = 64
"""Stages of one pipeline."""


class PipelineNode(PatternBase):
    """Ordered stages: each gets what the one before has made."""

    kind: Literal["pipeline"] = "pipeline"
    name: Name = "pipeline"
    stages: Annotated[tuple["Node", ...], Field(min_length=1, max_length=MAX_STAGES)]
    """A call may take ``$goal``, ``$input`` (what the stage before made) and every key that was committed before."""

    def has_drafts(self) -> bool:
        """See ``PatternBase``."""
        return True

    def parts(self) -> tuple[Part, ...]:
        """Each stage once, in order."""
        found: list[Part] = []
        keys: tuple[str, ...] = ("input",)
        for index, stage in enumerate(self.stages):
            key = key_of(stage)
            before = (f"stages.{index - 1}",) if index else ()
            found.append(Part(f"stages.{index}", stage, least=1, offers=("^", *keys), step=key, before=before))
            keys = (*keys, key)
        return tuple(found)


def key_of(node: NodeBase) -> str:
    """The key of the state under which a node's output is committed."""
    return node.key or str(getattr(node, "agent", "") or getattr(node, "name", ""))
