"""The typed form of a brief: what ``verify_brief`` answers, and what ``brief.json`` holds."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

NOT_ANSWERED: Literal["not in these documents"] = "not in these documents"

Count = Annotated[int, Field(ge=0)]


class BriefModel(BaseModel):
    """Frozen; unknown fields are refused, for we write these ourselves."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class BriefClaim(BriefModel):
    """One claim, and the words of a document that bear it out."""

    claim: str
    """A model's words, on one line."""
    quote: str
    """The document's words, verbatim; of a PDF with single spaces."""
    source: str
    """``path:LINE`` on which the quotation begins, or ``path:pPAGE``."""


class DroppedClaim(BriefModel):
    """A claim that is not in the brief."""

    claim: str
    """Its beginning; empty where there was none."""
    reason: str


class BriefCounts(BriefModel):
    """``claims`` of the draft = ``verified`` + ``dropped``; ``corrected`` is a part of the verified."""

    claims: Count = 0
    verified: Count = 0
    corrected: Count = 0
    """Quotations that stood in their document, but at another place than the draft said."""
    dropped: Count = 0


class Brief(BriefModel):
    """Claims that are all quoted, or the answer that there are none."""

    question: str
    answer: Literal["brief", "not in these documents"]
    title: str
    """The question on one line: nobody checks what a model would write here."""
    claims: list[BriefClaim]
    dropped: list[DroppedClaim]
    """The first ones, within bounds; ``counts.dropped`` is all."""
    counts: BriefCounts
    unanswered: list[str] = []
    """Parts of the question that the documents do not answer, where they answer others."""


class BriefFile(Brief):
    """The same with what it could not use, in sentences: input that was not readable, parts of the run that failed."""

    missing: list[str] = []
