"""What a question asks for: its words by weight, its names and numbers, and what kind of answer it wants."""

import re
from dataclasses import dataclass
from functools import cached_property

from activities.providers.offline_words import VAGUE_WORDS, asked_words, function_words, root, spoken

_FIGURE_ASKED = re.compile(
    r"(?i)\bhow (?:long|many|much|often|far|tall|big|large|old|fast|wide|deep|high|late|soon)\b|\bwie (?:viele?|lange?|hoch|oft|weit|alt|groß|teuer)\b|\bwieviele?\b"
)
_TIME_ASKED = re.compile(
    r"(?i)^\W*(?:and |since |until |by |seit |bis |ab )?(?:when|wann)\b|\b(?:what time|which (?:day|month|year|date)|how (?:late|soon))\b"
)
_ADVICE_ASKED = re.compile(
    r"(?i)\b(?:how (?:do|can|should|to)|what (?:should|must|can|do) |was (?:soll|muss|tun)|wie (?:kann|soll|muss))"
)
_STAMP = re.compile(r"\W?(?:\d{4}-\d\d-\d\d[T ]\d\d:\d\d|\d\d:\d\d:\d\d)")
_WHO = re.compile(r"(?i)^\W*(?:and |by |to |for |from |with )?(?:who|whom|whose|wer|wem|wen)\b")
_CAPITAL = re.compile(r"(?<=[^.!?]\s)[A-Z][a-zà-ÿ][\w-]*|(?<=: )[A-Z][a-zà-ÿ][\w-]*")
_DEFINITION = re.compile(
    r"(?i)^\W*(?:what|who|was|wer)\s+(?:is|are|was|were|ist|sind|war)\s+(?:(?:a|an|the|ein|eine|der|die|das)\s+)?([^?]{2,60})\??\s*$|^\W*what does ([^?]{2,60}) mean\??\s*$|^\W*define ([^?]{2,60})$"
)
_COUNTED = re.compile(r"(?i)^\W*how many\s+([^\W\d]+)|^\W*wie ?viele?\s+([^\W\d]+)")
_NUMBER_WORDS = """one two three four five six seven eight nine ten eleven twelve twenty thirty forty fifty hundred thousand million half
    quarter dozen once twice first second third every each both zero free never none no unlimited double weekly daily monthly yearly annual
    eins ein zwei drei vier fünf sechs sieben acht neun zehn elf zwölf zwanzig dreißig hundert tausend hälfte halb doppelt
    jede jeder jedes jeden kein keine kostenlos frei wöchentlich täglich monatlich jährlich"""
_COUNTS = frozenset(_NUMBER_WORDS.split()) - frozenset(
    [
        "once",
        "twice",
        "first",
        "second",
        "third",
        "every",
        "each",
        "both",
        "never",
        "free",
        "weekly",
        "daily",
        "monthly",
        "yearly",
        "annual",
        "one",
        "frei",
        "kein",
    ]
)
_ONE = frozenset(["one", "ein", "eine", "einen"])
SHORT_ENTRY, NEAR_BEFORE, NEAR_AFTER = 8, 3, 2
"""Words of an entry that is too short to tell, and words between a figure and what it counts, before it and after."""
_FIGURE = re.compile(rf"(?i)(?<![^\W\d_])\d|\b(?:{'|'.join(_NUMBER_WORDS.split())})\b")
_TIME = re.compile(
    r"(?i)\d|\b(?:mon|tues|wednes|thurs|fri|satur|sun)days?\b|\b(?:january|february|march|april|may|june|july|august|september|"
    r"october|november|december)\b|\b(?:day|week|month|year|hour|minute|second|time|noon|midnight|dawn|dusk|morning|evening|night|spring|summer|autumn|winter|tide|"
    r"after|before|when|while|until|since|once|as soon as|if|during|immediately|never|always|today|tomorrow|by)s?\b|"
    r"(?:tag|woche|monat|jahr|stunde|minute|uhr|mittag|morgen|abend|nacht|januar|februar|märz|mai|juni|juli|oktober|dezember)"
    r"|\b(?:nach|vor|wenn|sobald|bis|seit|während)\b"
)
_FOCUS = re.compile(
    r"(?i)^\W*(?:and |but |also |or |und )?(?:"
    r"(?:by |of |for |in |on |at |from |to |with |under |an |bei |mit |von |für |in |auf )?(?:what|which|whose|welche[rsmn]?)\s+(?:(?:kind|type|sort|other|happens|does|do|did|must|should|will|can)\b)?|"
    r"how (?:many|much)\s+|wie ?viele?\s+|wer\s+|who\s+|whom\s+|was\s+"
    r")((?:(?:is|are|was|were|has|have|had|does|do|did|the|a|an|of|our|my|your|its|ist|sind|war|waren|hat|haben|der|die|das|den|ein|eine)\s+)*)([\w-]+)"
)
_DOING = re.compile(r"(?i)\b(?:does|do|did)\b")
_VERB = re.compile(
    r"(?i)\b(?:does|do|did|can|may|must|should|will|shall|would|darf|muss|soll|kann)\b.*?\s([^\W\d]+)\W*$"
)
_KINDS = (
    (
        "cost costs price prices priced fee fees charge pay paid pays earn earns salary wage spend spent rent kosten kostet preis gebühr",
        r"[€$£¥]|\d[\d.,]*\s?(?:euros?|eur|usd|dollars?|pounds?|gbp|francs?|chf|kron\w+|kr|crowns?|shillings?|cents?|yen|rupees?)\b|\bfree\b|kostenlos",
    ),
    ("temperature hot cold warm temperatur", r"\d\s?(?:°|degrees?|grad\b|celsius|fahrenheit)"),
    ("rate percentage share ratio proportion anteil quote", r"\d\s?(?:%|percent|prozent)|\bper\b|\bpro\b"),
    ("phone telephone telefon telefonnummer", r"\+?\d[\d /-]{6,}"),
    ("email mail", r"\w@\w"),
    ("website url link homepage", r"https?://|www\."),
    ("weight weigh weighs heavy gewicht", r"\d\s?(?:k?g|mg|grams?|kilo\w*|tons?|tonnes?|pounds?|lbs?)\b"),
    ("distance length width height size", r"\d\s?(?:[cmk]?m|metres?|meters?|kilomet\w+|miles?|feet|inch\w*)\b"),
)
_KIND_OF = {word: re.compile(rf"(?i){pattern}") for words, pattern in _KINDS for word in words.split()}
_NAMES = re.compile(
    r"(?<![.!?:]\s)(?<!^)(?<!^[\"'(])\b[A-Z][\w-]*|\b[A-Z]{2,}[A-Z0-9_]*\b|\b[A-Za-z]+_\w+\b|\b\w*\d\w*\b"
)
_IDENTIFIER = re.compile(r"\b[^\W_]+(?:_[^\W_]+)+\b")
_MARKED = re.compile(r'"([^"\n]{2,80})"|“([^”\n]{2,80})”|`([^`\n]{1,80})`')
_GERMAN = re.compile(r"(?i)\b(?:der|die|das|ist|wie|wer|wann|welche[rsmn]?|und|ein|eine|im|wird|für|nicht|hat)\b")
_CONTEXT = re.compile(r"(?s)\s*\(about: ([^()]{1,300})\)\s*$")
_WITHIN = re.compile(r"(?s)\s*\(in: ([^\n]{1,300})\)\s*$")
VAGUE_WEIGHT, CONTEXT_WEIGHT, VERB_WEIGHT, NAME_WEIGHT = 0.35, 0.25, 0.6, 1.3
"""Against 1 for other words. What somebody does is said in many ways, who or what it is in few."""
TIME_WORDS = frozenset(
    [
        "day",
        "days",
        "date",
        "dates",
        "weekday",
        "time",
        "times",
        "month",
        "months",
        "year",
        "hour",
        "hours",
        "tag",
        "datum",
        "uhrzeit",
    ]
)
"""What is asked for by these words stands in a sentence as a date, an hour or a weekday."""


def somebody(quote: str) -> frozenset[str]:
    """Roots of the words within a sentence that begin with a capital letter, as names do."""
    return frozenset(root(word.lower()) for word in _CAPITAL.findall(quote))


def _counts(noun: str, quote: str) -> bool:
    """Whether a figure stands near what is counted. Of rows and settings, or where the noun is another, we cannot tell."""
    said = spoken(quote)
    nouns = [at for at, word in enumerate(said) if root(word) == noun]
    if not nouns or len(said) < SHORT_ENTRY or quote.startswith("|"):
        return True
    figures = [at for at, word in enumerate(said) if word in _COUNTS or word[0].isdigit()]
    if any(word in _ONE and at + 1 in nouns for at, word in enumerate(said)):
        return True
    return any(-NEAR_AFTER <= noun_at - at <= NEAR_BEFORE for noun_at in nouns for at in figures)


def is_kind(word: str, quote: str) -> bool:
    """Whether a sentence has what a word asks for without saying it: an amount of money for ``cost``."""
    pattern = _KIND_OF.get(word)
    return bool(pattern and pattern.search(quote))


def is_time(quote: str) -> bool:
    """Whether a sentence says when."""
    return bool(_TIME.search(quote))


@dataclass(frozen=True)
class Question:
    """A question, read."""

    text: str
    """As it was asked, without what it says about where to look."""
    within: str = ""
    """The one document to look in, where it names one."""
    about: str = ""
    """Words of the whole of which this is a part: they help to find, and are not what is asked."""

    @classmethod
    def read(cls, text: str) -> "Question":
        """Read a question with its marks ``(about: ...)`` and ``(in: ...)`` at the end."""
        within = about = ""
        if found := _WITHIN.search(text):
            text, within = text[: found.start()], found[1]
        if found := _CONTEXT.search(text):
            text, about = text[: found.start()], found[1]
        return cls(text, within, about)

    @cached_property
    def words(self) -> dict[str, float]:
        """Its words, and how much each of them matters."""
        empty = function_words(self.text)
        if all(word in empty for word in spoken(self.text)):
            return {}
        asked = asked_words(self.text)
        strong = [word for word in asked if word not in VAGUE_WORDS]
        weights = {word: 1.0 if word in strong or not strong else VAGUE_WEIGHT for word in asked}
        verb = _VERB.search(self.text)
        if verb and len(strong) > 2 and verb[1].lower() in strong:
            weights[verb[1].lower()] = VERB_WEIGHT
        weights |= {word: NAME_WEIGHT for word in asked if root(word) in self.names}
        known = {root(word) for word in asked}
        weights |= {word: CONTEXT_WEIGHT for word in asked_words(self.about) if self.about and root(word) not in known}
        return weights

    @cached_property
    def names(self) -> frozenset[str]:
        """Roots of names, numbers and what is quoted: an answer is about them or it is none."""
        marked = " ".join(next(filter(None, found)) for found in _MARKED.findall(self.text))
        found = _NAMES.findall(self.text)
        if _GERMAN.search(self.text):  # all nouns begin with a capital
            found = [name for name in found if name.isupper() or "_" in name or any(map(str.isdigit, name))]
        empty = function_words(self.text) | VAGUE_WORDS
        return frozenset(root(word) for word in spoken(f"{marked} {' '.join(found)}") if word not in empty)

    @cached_property
    def focus(self) -> str:
        """The word for what is asked for: ``notice`` in ``what is the notice period``; empty where there is none."""
        found = _FOCUS.match(self.text)
        word = found[2].lower().split("-")[0] if found and not _DOING.search(found[1]) else ""
        return word if word in self.words and word not in VAGUE_WORDS else ""

    @cached_property
    def defined(self) -> frozenset[str]:
        """The roots of the term that ``what is a term?`` asks to have explained; empty for other questions."""
        found = _DEFINITION.match(self.text)
        term = next(filter(None, found.groups()), "") if found else ""
        roots = frozenset(root(word) for word in spoken(term) if word not in function_words(self.text))
        return (
            roots
            if 0 < len(roots) <= 3 and not re.search(r"(?i)\b(?:of|for|in|at|von|für|des|der)\b", term)
            else frozenset()
        )

    @cached_property
    def identifiers(self) -> frozenset[str]:
        """Names of code that it asks about, such as ``wait_for``: their parts alone are other words."""
        return frozenset(name.lower() for name in _IDENTIFIER.findall(self.text))

    @property
    def asks_who(self) -> bool:
        """Whether somebody is asked for."""
        return bool(_WHO.match(self.text))

    @property
    def wants_advice(self) -> bool:
        """Whether it asks what to do, or how."""
        return bool(_ADVICE_ASKED.search(self.text))

    def suits(self, quote: str) -> bool:
        """Whether a sentence has the kind of thing that is asked for: a figure, a time, something to do."""
        if _FIGURE_ASKED.search(self.text) and not _FIGURE.search(quote):
            return False
        if (found := _COUNTED.match(self.text)) and not _counts(root((found[1] or found[2]).lower()), quote):
            return False
        if self.wants_advice and _STAMP.match(quote):
            return False
        return not _TIME_ASKED.search(self.text) or bool(_TIME.search(quote))

    @property
    def wants_figure(self) -> bool:
        """Whether it asks how many, how much or how long."""
        return bool(_FIGURE_ASKED.search(self.text))
