"""A prompt by its headings: what is asked, and under which words what stands that belongs to it.

A heading is a line that ends with a colon and names one of the things that patterns hand over (``Criteria:``,
``The votes so far:``), or a paragraph that begins with one and goes on (``The goal: ...``). What is
given comes last (``Input:``, ``Text:``) and is taken as it is: no line in it is a heading.
"""

import re
from dataclasses import dataclass
from functools import cached_property

MAX_HEADING = 200
"""Characters of a line that is a heading."""
_GIVEN = re.compile(r"\n\n(Input|Text):\n")
_WHOLE = frozenset({"draft", "the draft"})
"""Headings of what somebody else wrote: it comes last but for what is given, and no line in it is a heading."""
_THINGS_WORDS = """action agents answer answers argument arguments branches criteria criterion descriptions destination destinations done
    draft drafts event events executor executors findings gaps goal graph happened input item items label labels lack lacks
    last message messages minority missing monitored outcome output own payload peers plan point policy policies position
    positions problem problems proposed question questions reason reasons result results route routes rule rules said so-far
    state status success task tasks text texts topic topics vote votes words worker workers wrong"""
_THINGS = frozenset(_THINGS_WORDS.split())
_INLINE = re.compile(
    r"((?:(?:The|Your|Their|Its) )?[A-Za-z][\w-]*(?: [\w-]+)?(?: was| were| of (?:the whole|all|it))?):[ \t]+(\S.*)"
)
_WORD = re.compile(r"[a-z][a-z-]*")
_ENTRY = re.compile(r"(?m)^[ \t]*[-*\u2022][ \t]+(.+(?:\n(?![ \t]*[-*\u2022][ \t])[ \t]+\S.*)*)")
_NAMED = re.compile(r"[`\"']?([A-Za-z][\w.-]{0,99})[`\"']?(?: \([^()\n]{0,200}\))?:[ \t]*(.*)", re.DOTALL)


@dataclass(frozen=True)
class Section:
    """What stands under one heading."""

    heading: str
    body: str

    @cached_property
    def words(self) -> frozenset[str]:
        """The heading's words."""
        return frozenset(_WORD.findall(self.heading.lower()))


@dataclass(frozen=True)
class Sections:
    """A prompt, taken apart."""

    task: str
    """What stands before the first heading."""
    parts: tuple[Section, ...] = ()

    def under(self, *words: str, but: tuple[str, ...] = ()) -> str:
        """What stands under the first heading that has one of these words, the first word's first; empty without one.

        Args:
            words: of the heading.
            but: words that it must not have.
        """
        for word in words:
            for part in self.parts:
                if word in part.words and part.body.strip() and not part.words & set(but):
                    return part.body.strip()
        return ""

    @property
    def given(self) -> str:
        """The input; empty without one."""
        return self.under("input")


def take_apart(prompt: str) -> Sections:
    """The parts of a prompt."""
    found = _GIVEN.search(prompt)
    given, prompt = (prompt[found.end() :], prompt[: found.start()]) if found else ("", prompt)
    task: list[str] = []
    parts: list[tuple[str, list[str]]] = []
    after_blank = True
    for line in prompt.split("\n"):
        whole = bool(parts) and parts[-1][0] in _WHOLE
        heading, rest = ("", "") if whole else _heading(line, after_blank)
        if heading:
            parts.append((heading, [rest] if rest else []))
        else:
            (parts[-1][1] if parts else task).append(line)
        after_blank = not line.strip()
    sections = [Section(heading, "\n".join(body).strip()) for heading, body in parts]
    if found:
        sections.append(Section(found[1].lower(), given.strip()))
    return Sections("\n".join(task).strip(), tuple(sections))


def listed(text: str) -> list[str]:
    """The entries of a list; the lines where it is none."""
    entries = [" ".join(entry.split()) for entry in _ENTRY.findall(text)]
    return entries or [" ".join(line.split()) for line in text.split("\n") if line.strip()]


def described(text: str) -> dict[str, str]:
    """Names and descriptions: entries such as ``- name: what it is``, wherever they stand in a text."""
    found: dict[str, str] = {}
    for entry in _ENTRY.findall(text):
        if named := _NAMED.match(entry):
            found.setdefault(named[1], " ".join(named[2].split()))
    return found


def _heading(line: str, after_blank: bool) -> tuple[str, str]:
    """The heading in a line, and what follows it there."""
    said = line.strip()
    if len(said) > MAX_HEADING and not after_blank:
        return "", ""
    if said.endswith(":") and len(said) <= MAX_HEADING and not said.startswith(("-", "*", "{", "[")):
        last = re.split(r"[.;?!] ", said)[-1]
        return (last[:-1].lower(), "") if _THINGS & set(_WORD.findall(last.lower())) else ("", "")
    found = _INLINE.match(said) if after_blank else None
    if found and _THINGS & set(_WORD.findall(found[1].lower())):
        return found[1].lower(), found[2]
    return "", ""
