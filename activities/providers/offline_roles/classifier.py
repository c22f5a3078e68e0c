"""Classifier: which of the declared labels a text belongs to, and how sure that is."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from activities.providers.offline_evidence import Evidence
from activities.providers.offline_matching import because, choose
from activities.providers.offline_material import as_value, plain_text
from activities.providers.offline_roles.base import Blind, Request, options
from activities.providers.offline_sections import described

_SURE = frozenset({"confidence", "probability", "certainty"})
_WHY = frozenset({"reason", "reasons", "why", "explanation"})


@dataclass(frozen=True)
class Classifier(Blind):
    """Chooses by shared words: of the label, of its description."""

    names: tuple[str, str, str]
    """The fields for label, confidence and reason; the last one may be empty."""
    labels: dict[str, str]
    text: str

    def answers(self, evidence: Sequence[Evidence]) -> Iterator[Any]:
        """One label."""
        del evidence
        label, sure, why = self.names
        choice = choose(self.labels, self.text)
        value = {label: choice.name, sure: choice.confidence}
        if why:
            yield value | {why: because(choice)}
        yield value


def recognise(request: Request) -> Classifier | None:
    """A label out of a list, with a confidence and perhaps a reason."""
    fields = request.fields
    label = next((name for name, field in fields.items() if options(field)), "")
    sure = next((name for name in fields if name in _SURE), "")
    why = next((name for name in fields if name in _WHY), "")
    if not label or not sure or set(fields) - {label, sure, why}:
        return None
    told = {**described(request.instructions), **described(request.prompt)}
    labels = {name: told.get(name, "") for name in options(fields[label])}
    return Classifier((label, sure, why), labels, routed(request))


def routed(request: Request) -> str:
    """What is to be labelled: the input, what a heading calls the text, or the task."""
    sections = request.sections
    given = sections.given or sections.under("text", "message", "messages", "item", "goal")
    return plain_text(as_value(given)) if given else sections.task
