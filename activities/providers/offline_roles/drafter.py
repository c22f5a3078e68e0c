"""Writer of a draft that came back: what an editor complains about is mended, out of the same documents.

A sentence with a forbidden word goes, what has to be mentioned is looked up, what is too long loses its last sentences. It
says so where the documents hold nothing on what has to be mentioned.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from activities.providers.offline_criteria import Check, What, Where, count
from activities.providers.offline_evidence import Evidence, best, rank
from activities.providers.offline_material import evidence_in
from activities.providers.offline_reading import NOTHING
from activities.providers.offline_roles.base import Looking, Request
from activities.providers.offline_roles.editor import checks_of, criteria_of
from activities.providers.offline_sections import listed, take_apart

MAX_SENTENCES = 20
_TEXTS = ("text", "draft", "answer", "summary", "reply", "body", "content")


@dataclass(frozen=True)
class Drafter(Looking):
    """Chooses quotations until the criteria hold, as far as they can."""

    request: Request
    checks: tuple[Check, ...]
    field: str
    """Where the text goes; empty where the answer is free text."""

    def answers(self, evidence: Sequence[Evidence]) -> Iterator[Any]:
        """The draft, and shorter ones."""
        text = self._draft(list(evidence))
        while text:
            yield {self.field: text} if self.field else text
            text = text.rpartition("\n\n")[0]
        yield {self.field: NOTHING} if self.field else NOTHING

    def _draft(self, evidence: list[Evidence]) -> str:
        evidence = evidence or self._given()
        allowed = [item for item in evidence if not self._forbidden(item)]
        chosen = best(allowed)
        spare = [item for item in allowed if item not in chosen]
        notes: list[str] = []
        for check in self.checks:
            if check.what is not What.SAYS or check.where is not Where.ANYWHERE or check.holds(_written(chosen, notes)):
                continue
            found = next(
                (
                    item
                    for item in [*spare, *self._on(check)]
                    if check.found(_paragraph(item)) and not self._forbidden(item)
                ),
                None,
            )
            if found:
                chosen.append(found)
            elif not check.exact:
                notes.append(f"On {check.term}: {NOTHING}.")
        for item in spare:
            if all(
                check.holds(_written(chosen, notes))
                for check in self.checks
                if check.what is What.LENGTH and check.least
            ):
                break
            chosen += [item] if item not in chosen and len(chosen) < MAX_SENTENCES else []
        return self._shortened(chosen, notes) or NOTHING

    def _shortened(self, chosen: list[Evidence], notes: list[str]) -> str:
        """Without what is not needed, from the end on, until no limit is broken; then cut within a sentence."""
        limits = [check for check in self.checks if check.what is What.LENGTH and check.most is not None]
        needed = [check for check in self.checks if check.what is What.SAYS]
        at = len(chosen) - 1
        while at >= 0 and len(chosen) > 1 and not all(check.holds(_written(chosen, notes)) for check in limits):
            rest = chosen[:at] + chosen[at + 1 :]
            if all(check.holds(_written(rest, notes)) or not check.holds(_written(chosen, notes)) for check in needed):
                chosen = rest
            at -= 1
        while notes and not all(check.holds(_written(chosen, notes)) for check in limits):
            notes = notes[:-1]
        for check in limits:
            for _ in range(MAX_SENTENCES):
                if check.holds(_written(chosen, notes)) or not chosen:
                    break
                chosen = _cut(chosen, check, notes)
        return _written(chosen, notes)

    def _forbidden(self, item: Evidence) -> bool:
        return any(check.what is What.LACKS and check.found(_paragraph(item)) for check in self.checks)

    def _on(self, check: Check) -> list[Evidence]:
        """What the documents say on a thing that has to be mentioned."""
        reading = self.request.reading
        return rank(check.term, [*reading.documents, *reading.prompt])

    def _given(self) -> list[Evidence]:
        """Where the question finds nothing: the input, sentence by sentence."""
        sections = self.request.sections
        return evidence_in(self.request.reading.question, sections.given) if sections.given else []


def recognise(request: Request) -> Drafter | None:
    """Free text, or a contract with one text, and problems that somebody has with the last draft."""
    texts = [name for name, field in request.fields.items() if field.get("type") == "string"]
    if request.schema is not None and not (len(request.fields) == 1 and texts and texts[0] in _TEXTS):
        return None
    problems = [*listed(request.sections.under("problems", "problem", "wrong"))]
    if request.latest is not request.prompt and request.before is not None:
        problems = listed(take_apart(request.latest).under("problems", "problem", "wrong", "answer", "draft"))
    checks = checks_of(problems, criteria_of(request)) if problems else ()
    return Drafter(request, checks, texts[0] if texts else "") if checks else None


def _paragraph(item: Evidence) -> str:
    return f'"{item.quote}" ({item.source})'


def _written(chosen: Sequence[Evidence], notes: Sequence[str]) -> str:
    return "\n\n".join([*map(_paragraph, chosen), *notes])


def _cut(chosen: list[Evidence], check: Check, notes: Sequence[str]) -> list[Evidence]:
    """The last quotation shorter by what is too much, at a space: its beginning is a quotation, too."""
    *others, last = chosen
    over = count(_written(chosen, notes), check.unit) - (check.most or 0)
    if check.unit not in {"words", "characters"}:
        return others or chosen
    words = last.quote.split(" ")
    keep = (
        len(words) - over
        if check.unit == "words"
        else max(0, len(last.quote[: max(0, len(last.quote) - over)].split(" ")) - 1)
    )
    if keep < 1:
        return others
    quote = " ".join(words[:keep]).rstrip()
    return [*others, Evidence(quote, last.path, last.line, last.score, last.coverage, page=last.page, cite=last.cite)]
