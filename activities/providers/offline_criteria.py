"""What a program can look at in a draft: its length, words that it holds or lacks, sources, figures."""

import re
from dataclasses import dataclass
from enum import Enum

from activities.providers.offline_sentences import sentences
from activities.providers.offline_words import content_roots, root, spoken, synonyms

MAX_SAID = 160
"""Characters of a sentence that a problem quotes."""

_SOURCE = r"[\w./ -]{0,200}[\w/-]\.\w{1,8}:p?\d{1,9}\b|\bprompt:\d+\b|https?://\S+"
_THINGS = {
    "source": ("sources? citations? citing references?", _SOURCE),
    "mail address": ("mail e-mail email emails addresses?", r"[\w.+-]{1,64}@[\w-]{1,64}\.\w[\w.-]{0,200}"),
    "exclamation mark": ("exclamations?", r"!"),
    "question mark": ("question[-_]marks?", r"\?"),
    "link": ("links? urls?", r"https?://|www\."),
    "phone number": ("phone telephone", r"\+?\d[\d /()-]{6,20}\d"),
    "date": ("dates?", r"\d{4}-\d\d-\d\d|\b\d{1,2}\.? (?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)\w*|\b\d{1,2}[./]\d{1,2}[./]\d{2,4}"),
    "quotation": ("quotations? quotes?", r"[\"\u201c][^\"\u201d]{3,}[\"\u201d]"),
    "figure": ("figures? numbers? digits? amounts?", r"\d"),
    "list": ("lists? bullets?", r"(?m)^\s*(?:[-*\u2022]|\d+[.)])\s"),
}  # fmt: skip
"""Kinds of things that criteria name: the words for each, and how it looks. Both are regular expressions."""
KINDS = {name: re.compile(rf"(?i)\b(?:{'|'.join(said.split())})\b") for name, (said, _) in _THINGS.items()}
"""How each kind is named in a criterion."""
_LOOKS = {name: re.compile(rf"(?i){look}" if name == "date" else look) for name, (_, look) in _THINGS.items()}


class What(Enum):
    """What a check looks at."""

    LENGTH = 1
    SAYS = 2
    LACKS = 3


class Where(Enum):
    """Where in a draft something has to stand."""

    ANYWHERE = 1
    BEGINNING = 2
    END = 3
    EACH = 4
    """In every sentence."""


@dataclass(frozen=True)
class Check:
    """One thing that a criterion asks for."""

    criterion: str
    what: What
    least: int = 0
    most: int | None = None
    unit: str = ""
    """Of a length: ``words``, ``sentences``, ``characters``, ``lines`` or ``paragraphs``."""
    term: str = ""
    """A word, a phrase, or the name of a kind of thing."""
    exact: bool = False
    """It stands in quotation marks: these very words."""
    where: Where = Where.ANYWHERE

    def holds(self, text: str) -> bool:
        """Whether a draft fulfils it."""
        if self.what is What.LENGTH:
            size = count(text, self.unit)
            return size >= self.least and (self.most is None or size <= self.most)
        if self.what is What.LACKS:
            return not self.found(text)
        if self.where is Where.EACH:
            return bool(text.strip()) and all(map(self.found, units(text)))
        if self.where is not Where.ANYWHERE:
            said, wanted = " ".join(text.split()).lower(), self.term.lower()
            return (
                said.startswith(wanted)
                if self.where is Where.BEGINNING
                else said.rstrip(".!?").endswith(wanted.rstrip(".!?"))
            )
        return self.found(text)

    def found(self, text: str) -> bool:
        """Whether its term stands in a text."""
        if self.exact:
            whole = rf"(?<!\w){re.escape(' '.join(self.term.split()))}(?!\w)"
            return bool(re.search(whole, " ".join(text.split()), re.IGNORECASE))
        if self.term in _LOOKS:
            return bool(_LOOKS[self.term].search(text))
        wanted = content_roots(self.term)
        said = [{root(word) for word in spoken(part)} for part in (units(text) if self.what is What.LACKS else [text])]
        least = len(wanted) if self.what is What.LACKS else max(1, -(-len(wanted) // 2))
        alike = self.what is What.SAYS
        return any(
            sum(one in there or (alike and bool(synonyms(one) & there)) for one in wanted) >= least for there in said
        )

    def problem(self, text: str) -> str:
        """What is wrong with a draft that does not fulfil it, in one sentence, with the criterion at its end."""
        if self.what is What.LENGTH:
            said = f"It has {count(text, self.unit)} {self.unit}"
        elif self.what is What.LACKS:
            where = next((part for part in units(text) if self.found(part)), text)
            said = f"It holds {self.named} in: {shortened(where)}"
        elif self.where is Where.EACH:
            where = next((part for part in units(text) if not self.found(part)), text)
            said = f"There is no {self.term} in: {shortened(where)}"
        else:
            said = f"It does not {_VERB_OF[self.where]} {self.named}"
        return f"{said} (criterion: {self.criterion})"

    @property
    def named(self) -> str:
        """What it is about, in words."""
        return f'"{self.term}"' if self.exact else f"a {self.term}" if self.term in _LOOKS else self.term


_VERB_OF = {Where.ANYWHERE: "mention", Where.BEGINNING: "begin with", Where.END: "end with", Where.EACH: "mention"}


def kind_of(term: str) -> bool:
    """Whether a term is the name of a kind of thing, such as ``mail address``."""
    return term in _LOOKS


def units(text: str) -> list[str]:
    """The sentences of a text, each with the source that stands behind it."""
    spans = [(found.start, found.end) for found in sentences(text)]
    starts = [start for start, _ in spans]
    ends = [*starts[1:], len(text)] if starts else []
    parts = [text[start:end].strip() for start, end in zip(starts, ends, strict=True)]
    kept: list[str] = []
    for part in parts:
        if kept and not re.search(r"\w", re.sub(rf"\(\s*(?:{_SOURCE})\s*\)", "", part)):
            kept[-1] = f"{kept[-1]} {part}"  # a source alone belongs to the sentence before it
        else:
            kept.append(part)
    return kept or ([text.strip()] if text.strip() else [])


def count(text: str, unit: str) -> int:
    """How long a text is."""
    if unit == "words":
        return len(text.split())
    if unit == "sentences":
        return len(units(text))
    if unit == "sources":
        return len(set(_LOOKS["source"].findall(text)))
    if unit == "characters":
        return len(text)
    if unit == "paragraphs":
        return sum(bool(part.strip()) for part in re.split(r"\n\s*\n", text))
    return sum(bool(line.strip()) for line in text.split("\n"))


def shortened(said: str) -> str:
    """A sentence as a problem quotes it, on one line."""
    said = " ".join(said.split())
    return said if len(said) <= MAX_SAID else said[:MAX_SAID].rpartition(" ")[0] + "…"
