"""Words as the offline model compares them: without their endings, with their commonest synonyms.

Coarse on purpose, and the same on every machine: a few endings of English and German, a few dozen groups of words that
questions and documents use for the same thing. It is no language model and does not become one here.
"""

import re
from collections.abc import Iterator
from functools import lru_cache

from activities.text import MAX_WORDS, STOP_WORDS, words

MIN_ROOT = 4
"""Characters that are left of a word at least when an ending is taken off."""
MIN_PREFIX = 6
"""Characters that have to be shared for a word to be found within a longer one: the parts of German compounds."""

_GERMAN = """ab aber alle allem allen aller alles als am an auch auf aus bei bin bis bist da damit dann das dass dazu dem den denn der
    deren des dessen die dies diese diesem diesen dieser dieses doch dort du durch ein eine einem einen einer eines er es etwa
    etwas euch für gibt gilt hab habe haben hat hatte hatten ich ihm ihn ihnen ihr ihre ihrem ihren ihrer im in ist ja je jede
    jedem jeden jeder jedes jemand kann kannst kein keine können könnte man mehr mein meine mich mir mit muss müssen nach nicht nichts noch
    nur ob oder ohne sehr sein seine seinem seinen seiner sich sie sind so sofern soll sollte über um und uns unser unter viel viele vielen vom
    von vor wann war waren warum was welche welchem welchen welcher welches wem wen wenn wer werden wessen wie wieviel wir wird wo
    womit wozu wurde wurden zu zum zur zwischen hoch dürfen darf heißt heißen steht stehen sagt liegt geht"""
_OTHERS = """le la les des du une est sont et ou où que qui quoi quel quelle quels quelles comment quand combien pour dans avec
    sur par pas ne el los las una uno unos de del es son y qué quién cuál cuándo cuánto dónde cómo con por para en se su"""
_VAGUE = """according allowed allow able big document documents documentation doc docs file files folder text texts page information info
    exactly main important described describe mention mentioned mentions talk question answer answers find found give given gives
    name named names called call kind sort type types details detail number amount high large long use used uses using value
    have need needs needed require required requires set apply put keep get gets go goes going come comes make makes made take takes
    done still currently now today good best way ways possible people person someone project version longer per via plus new rule rules
    say state states stated tells please team thing item items case cases value values part parts amount total overall
    heißt nennen nennt anzahl name namen dokument dokumente unterlagen"""
_FOREIGN = frozenset(f"{_GERMAN} {_OTHERS}".split())
_IS_FOREIGN = re.compile(
    r"(?i)\b(?:der|das|ist|wie|wer|wann|welche[rsmn]?|und|eine?|im|wird|für|nicht|wo|warum|wieviele?|kann|muss|darf|gibt|"
    r"est|les|quel|quelle|combien|comment|qué|quién|cuál|cuánto|dónde|cómo)\b"
)
VAGUE_WORDS = frozenset(_VAGUE.split())
"""Words of questions that documents need not share."""

_ENDINGS = [
    "ations",
    "ation",
    "ements",
    "ement",
    "ments",
    "ment",
    "ings",
    "ing",
    "ness",
    "ically",
    "ally",
    "ively",
    "ibly",
    "ably",
    "ies",
    "ied",
    "ers",
    "er",
    "ors",
    "or",
    "ed",
    "es",
    "est",
    "ly",
    "al",
    "ity",
    "ive",
    "s",
    "ungen",
    "ung",
    "lich",
    "isch",
    "ern",
    "en",
    "em",
    "e",
    "y",
]
_STRONG = frozenset({"ies", "ied", "ing", "ings", "ed", "es", "ment", "ments"})
"""Endings that leave one character less."""
_GROUPS = """
    pay pays paid payment payable cost costs price priced fee charge charged spend spent expense owe salary wage earn earns
    pay paid due
    buy bought purchase purchased order vendor
    begin begins began start starts started launch
    end ends ended finish finished terminate terminated cancel cancelled
    notice terminate termination quit
    allow allowed permit permitted permission may consent forbid forbidden prohibit prohibited ban banned
    delete deleted remove removed erase erased drop clean cleaned
    die dies died dead kill killed crash crashed
    keep kept store stored retain save saved
    retention retain kept deleted
    car vehicle
    put kept stored placed
    write wrote written author
    create created found founded make made establish established built
    error errors fail failed failure fails
    fix repair repaired mend mended
    boss head lead leader manager director chief
    worker employee employees staff
    doctor physician
    phone telephone tel call
    mail email address contact
    begin opening open opens opened
    close closed closes shut
    buy order
    big size large
    fast speed quick quickly
    holiday vacation leave
    weigh weighs weight kg
    hot temperature degrees heat
    tall height high
    wide width
    deep depth
    old age founded
    limit maximum most max cap
    minimum least min
    deadline due until by latest within
    address located location street lies
    licence license
    colour color coloured
    centre center
    listen bind
    approve approves approved approval
    approve consent sign signs signed
    trip travel journey
    lodging hotel accommodation
    food meal meals
    reason because cause caused
    forbidden never not
    freeze frozen
    own owns owner owned belong belongs
    lay lays laid
    last lasts survive duration
    measure measures
    decide decides decided decision decisions resolve resolved
    absent missing away
    happen effect effects result
    twice two double
    half fifty
    stop stops stopped halt
    carry carries bring
    protect protects protection secure security
    encrypt encrypted encryption
    restart restarted resume
    choose chose chosen select selected pick
    show shows shown display displayed
    send sends sent deliver delivers delivered delivery
    receive received get
    hire hired hiring recruit
    refuse refused reject rejected deny denied
    support supported supports
    describe explain
    learn teach taught
    eat eats ate eaten food
    speak spoke spoken talk
    rise rises rose risen grow grew grown increase increased
    fall falls fell fallen drop dropped decrease decreased
    fly flies flew flown flight
    drive drove driven
    sell sold sale sales
    tell told
    lose lost loses loss losses
    win won winner
    hold held holds
    lead leads led
    leave leaves left depart departs departure
    arrive arrives arrival
    meet met meeting
    think thought opinion
    bring brought
    build built builds
    catch caught
    feed fed
    find found
    sing sings sang sung song
    sleep slept sleeps
    break broke broken
    stand stood
    wear wore worn
    read reads reading
    run ran runs
    drink drank drunk
    swim swam swum
    grow grew
    shrink shrank
    steal stole stolen theft
    bear born birth
    marry married wife husband spouse
    live lives lived residence
    die died death
    kündigen kündigung austritt austreten
    kosten kostet preis gebühr beitrag betrag zahlen
    schlüssel schlüssels
    geöffnet öffnungszeiten öffnet offen
    geschlossen schließt zu
    leiter leitung chef vorsitz vorsitzende
"""
_SEPARABLE = re.compile(r"^(ab|an|auf|aus|bei|ein|fest|her|hin|mit|nach|um|vor|weg|zu|zurück)ge(\w{3,}(?:en|t))$")
"""German participles: ``abgelesen`` is of ``ablesen``."""
_POSSESSIVE = re.compile(r"['\u2019]s\b")
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_FOLD = str.maketrans({"ß": "ss"})


def spoken(text: str) -> list[str]:
    """All words of a text in lower case, names in camel case as several."""
    text = _POSSESSIVE.sub("", text)
    return words(_CAMEL.sub(" ", text) if text.isascii() else text)


@lru_cache(maxsize=50_000)
def root(word: str) -> str:
    """A word without its ending: ``retries`` and ``retry`` become one."""
    word = word.translate(_FOLD)
    if not word.isalpha() or len(word) <= MIN_ROOT or (not word.isascii() and ord(max(word)) > 0x24F):
        short = word.isascii() and len(word) == MIN_ROOT and word[-1] in "sey" and word[-2] != "s"
        return word[:-1] if short else word
    word = word.replace("our", "or") if len(word) > 5 else word
    word = _SEPARABLE.sub(r"\1\2", word)
    for ending in () if word.endswith(("ss", "glied", "us")) else _ENDINGS:
        if word.endswith(ending) and len(word) - len(ending) >= MIN_ROOT - (ending in _STRONG):
            word = word.removesuffix(ending)
            break
    if len(word) >= MIN_ROOT and word[-1] == word[-2] and word[-1] not in "aeiousl":
        word = word[:-1]  # shipped, running
    return word.removesuffix("e") if len(word) > MIN_ROOT else word


def function_words(text: str) -> frozenset[str]:
    """The words that say nothing in a text: those of English, and of German and others where it has some of theirs."""
    return STOP_WORDS | _FOREIGN if _IS_FOREIGN.search(text) else STOP_WORDS


def asked_words(text: str) -> list[str]:
    """The distinct words that carry a question's meaning, in order; all words where none does."""
    every, empty = spoken(text), function_words(text)
    distinct: dict[str, str] = {}
    for word in [word for word in every if word not in empty] or every:
        distinct.setdefault(root(word), word)
    return list(distinct.values())[:MAX_WORDS]


def content_roots(text: str) -> set[str]:
    """The roots of the words that carry meaning."""
    empty = function_words(text)
    return {root(word) for word in spoken(text) if word not in empty}


def synonyms(word: str) -> frozenset[str]:
    """Roots of the words that documents may use in its place, without its own."""
    return _synonyms().get(root(word), frozenset())


def related(word: str) -> list[str]:
    """The words that documents may use in its place, whole, for a search."""
    own = root(word)
    lists = (line.split() for line in _GROUPS.strip().splitlines())
    return list(dict.fromkeys(other for group in lists if any(root(one) == own for one in group) for other in group))


@lru_cache(maxsize=1)
def _synonyms() -> dict[str, frozenset[str]]:
    found: dict[str, frozenset[str]] = {}
    for group in _groups():
        for one in group:
            found[one] = found.get(one, frozenset()) | (group - {one})
    return found


def _groups() -> Iterator[frozenset[str]]:
    for line in _GROUPS.strip().splitlines():
        yield frozenset(root(word) for word in line.split())
