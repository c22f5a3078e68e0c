"""Criteria and problems in plain words, read as checks.

``At most 60 words.``, ``It names the price and the date.``, ``It does not say "sorry".``, ``Every sentence gives its
source.`` can be looked at. What none of these patterns reads (``It is friendly.``) is left to somebody who can judge it.
"""

import re
from collections.abc import Iterator

from activities.providers.offline_criteria import KINDS, Check, What, Where
from activities.providers.offline_words import content_roots, root

MAX_CRITERIA = 40
MAX_TERMS = 8
"""Things that one criterion names."""

_UNITS = "words?|sentences?|characters?|letters?|lines?|paragraphs?|bullets?|bullet points?|sources?|citations?"
_COUNTS = {
    word: at
    for at, word in enumerate(
        ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"]
    )
}
_N = rf"(\d{{1,7}}|{'|'.join(_COUNTS)})"
_MOST = re.compile(
    rf"(?i)\b(?:(at most|(?:no|not|never) (?:more|longer) than|up to|shorten(?: it)? to|cut(?: it)? to|maximum(?: of)?|max\.?|within|not exceed(?:ing)?)|(fewer than|less than|shorter than|under|below))\s+{_N}\s+({_UNITS})\b"
)
_LEAST = re.compile(
    rf"(?i)\b(?:(at least|no fewer than|no less than|not less than|minimum(?: of)?|min\.?)|(?<!no )(?<!not )(?<!never )(more than|longer than|over))\s+{_N}\s+({_UNITS})\b"
)
_AFTER = re.compile(rf"(?i)\b{_N}\s+({_UNITS})\s+(?:or (less|fewer|more)|at (most|least))\b")
_RANGE = re.compile(rf"(?i)\b(?:between\s+)?{_N}\s*(?:and|to|-|\u2013)\s*{_N}\s+({_UNITS})\b")
_EXACT = re.compile(rf"(?i)\b(?:exactly|in|is|are|has|have|of|only|just|a single)\s+{_N}\s+({_UNITS})\b")
_VERBS = r"""mention(?:s|ing)?|name[sd]?|naming|say(?:s|ing)?|state[sd]?|stating|tell(?:s|ing)?|give[sn]?|giving|contain(?:s|ing)?|
    include[sd]?|including|cover(?:s|ing)?|explain(?:s|ing)?|describe[sd]?|speaks?(?: of)?|refers?(?: to)?|answers?|uses?|using|
    quotes?|cites?|shows?|has|have|add|there (?:is|are)|begins? with|starts? with|ends? with"""
_SAYS = re.compile(rf"(?i)\b({'|'.join(part.strip() for part in _VERBS.split('|'))})\b\s+(.+)")
_NEVER = re.compile(
    r"(?i)\b(?:not|never|no|nor|neither|nothing|without|avoids?|avoiding|omits?|forbidden(?=:)|free of|leaves? out|lacks?)\b|n['\u2019]t\b"
)
_LACKS = re.compile(
    r"(?i)\b(?:no|without|neither|avoids?|avoiding|omits?|free of|leaves? out|never (?:uses?|says?|mentions?|names?|contains?|includes?|states?|gives?|speaks? of)|forbidden:)\s+(.+)"
)
_NOT = re.compile(r"(?i)(?:\b(?:not|never)|n['\u2019]t)\s+(.+)")
_QUOTED = re.compile(
    r'"([^"\n]{1,200})"|\u201c([^\u201d\n]{1,200})\u201d|`([^`\n]{1,200})`|(?<!\w)\'([^\'\n]{1,200})\'(?!\w)'
)
_META_WORDS = (
    "question goal task reader draft text first last next sentence answer criterion clear clearly plain plainly"
)
_META = frozenset(_META_WORDS.split())
"""Words about the draft itself: that they stand in it is not what is meant."""
_BETWEEN = re.compile(r"(?i)\s*(?:,|;|\band\b|\bor\b|\bnor\b|\bas well as\b|\bund\b|\boder\b)\s*")
_FILLER = re.compile(
    r"(?i)^(?:(?:any|the|a|an|its|their|of|all|each|every|some|one|words?|phrases?|with|like|such as|about|what|which)\b[:\s]*)+"
)
_EACH = re.compile(
    r"(?i)\b(?:each|every|all)\b[^.]{0,40}\b(?:sentences?|claims?|statements?|quotations?|lines?|paragraphs?|points?)\b"
)
_META_ROOTS = frozenset(map(root, _META))
_ALSO_SAYS = re.compile(r"(?i)\b(?:words?|sentences?|characters?|lines?|paragraphs?)\b[,;]?\s+(?:and|but)\s+(.+)")
_LACKING = re.compile(
    r"(?i)\b(?:(?:does not|doesn['\u2019]t|never|fails to) (?:mention|name|say|state|tell|give|contain|include|cover|explain|describe|speak of|answer)s?|"
    r"(?:there is|it has|it gives|it names) no|(?<!nothing )lacks)\s+(.+)|^(?:the )?(.{3,80}?) (?:is|are) missing\b"
)
_REMOVE = re.compile(
    r"(?i)^(?:please )?(?:remove|delete|drop|cut|strike|leave out|do not (?:say|use|mention|name)|don['\u2019]t (?:say|use|mention|name))\s+(?!it\b)(.+)"
)
_ASIDE = re.compile(r"\s*\(policy: .*?\)\.?(?=\s|$)")
_TELLS = re.compile(r"(?i)^(?:it|this|there|the (?:draft|answer|text|reply|second|first|last)|claim \d+|your \w+)\b")
_WANTS = re.compile(r"(?i)\b(?:must|should|has to|have to|needs? to|may not|at most|at least)\b")
_CITED = re.compile(r"\(criterion: (.+)\)\s*$")


def read_criterion(said: str) -> tuple[Check, ...]:
    """What a criterion asks for, as far as it can be looked at; nothing where it cannot. A problem is read by its criterion."""
    cited = _CITED.search(said)
    said = " ".join((cited[1] if cited else said).split())
    sized = tuple(_lengths(said))
    rest = _ALSO_SAYS.search(said) if sized else None
    return (*sized, *_terms(rest[1] if rest else "" if sized else said, said))


def read_problem(said: str) -> tuple[Check, ...]:
    """What somebody who names a problem wants: its criterion where it cites one; what is lacking; or what he asks for.

    That a draft ``names 12,500`` says what it does, and asks for nothing that could be looked at.
    """
    said = " ".join(said.split())
    if _CITED.search(said):
        return read_criterion(said)
    said = _ASIDE.sub("", said)
    if found := _REMOVE.match(said):
        return tuple(_terms(f"It has no {found[1]}", said))
    if found := _LACKING.search(said):
        return tuple(_terms(f"It mentions {found[1] or found[2]}", said))
    return () if _TELLS.match(said) and not _WANTS.search(said) else read_criterion(said)


def _lengths(said: str) -> Iterator[Check]:
    if found := _RANGE.search(said):
        yield Check(said, What.LENGTH, _number(found[1]), _number(found[2]), _unit(found[3]))
        return
    seen = False
    for found in _MOST.finditer(said):
        seen = True
        yield Check(said, What.LENGTH, 0, _number(found[3]) - bool(found[2]), _unit(found[4]))
    for found in _LEAST.finditer(said):
        seen = True
        yield Check(said, What.LENGTH, _number(found[3]) + bool(found[2]), None, _unit(found[4]))
    if seen:
        return
    if found := _AFTER.search(said):
        number, more = _number(found[1]), "more" in (found[3] or "") or "least" in (found[4] or "")
        yield Check(said, What.LENGTH, number if more else 0, None if more else number, _unit(found[2]))
    elif found := _EXACT.search(said) or re.match(rf"(?i){_N}\s+({_UNITS})\b", said):
        yield Check(said, What.LENGTH, _number(found[1]), _number(found[1]), _unit(found[2]))


def _terms(said: str, criterion: str) -> Iterator[Check]:
    what, rest, where = _read_terms(said)
    quoted = [next(filter(None, found)) for found in _QUOTED.findall(rest)]
    if quoted:
        yield from (Check(criterion, what, term=term, exact=True, where=where) for term in quoted[:MAX_TERMS])
        return
    for part in _BETWEEN.split(rest.rstrip(".!?; "))[:MAX_TERMS]:
        term = _FILLER.sub("", part.strip()).strip()
        kind = next((name for name, pattern in KINDS.items() if pattern.search(part)), "")
        if kind:
            yield Check(criterion, what, term=kind, where=where)
        elif content_roots(term) - _META_ROOTS:
            yield Check(criterion, what, term=term)


def _read_terms(said: str) -> tuple[What, str, Where]:
    """Whether something has to stand there or must not, what, and where; nothing where no pattern reads it."""
    verb, lacks, denied = _SAYS.search(said), _LACKS.search(said), _NEVER.search(said)
    if denied and verb and denied.start() < verb.start():
        return What.LACKS, verb[2], Where.ANYWHERE
    if denied and lacks and (not verb or denied.start() <= verb.end(1) + 1):
        return What.LACKS, lacks[1], Where.ANYWHERE
    if verb:
        first = verb[1].lower().split()[0]
        where = (
            Where.BEGINNING if first[:5] in {"begin", "start"} else Where.END if first[:3] == "end" else Where.ANYWHERE
        )
        return What.SAYS, verb[2], Where.EACH if _EACH.search(said) else where
    if found := _NOT.search(said):
        return What.LACKS, found[1], Where.ANYWHERE
    return What.SAYS, "", Where.ANYWHERE


def _number(said: str) -> int:
    return _COUNTS.get(said.lower(), 0) if not said.isdigit() else int(said)


def _unit(said: str) -> str:
    said = said.lower().rstrip("s")
    return {"letter": "characters", "citation": "sources", "bullet": "lines", "bullet point": "lines"}.get(
        said, f"{said}s"
    )
