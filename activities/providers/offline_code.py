"""Code and settings: each line says something below the lines that it is indented under; comments are prose."""

import re
from collections.abc import Iterator
from dataclasses import replace

from activities.providers.offline_layout import is_settings
from activities.providers.offline_prose import Prose, Sentence, paragraph, pieces
from activities.text import lines

SETTING, STATEMENT, BORING = 0.9, 0.7, 0.45
"""What a line weighs against a sentence: settings are facts, statements need reading, imports say nothing."""
_DOCSTRING = re.compile(r'[rRuUfFbB]{0,2}("""|\'\'\')')
_COMMENT = re.compile(r"(#(?!!)|//+|\*(?!/)|--|;)+\s*(?=\S)")
_QUOTES = frozenset({'"""', "'''"})
_PUNCTUATION = re.compile(r"[={}\[\];<>|]")
MIN_PROSE = 5
"""Words of a line that may be prose."""
_BORING = ("import ", "from ", "#include", "return ", "using ", "package ", "raise ", "yield ")


def code_sentences(text: str, path: str) -> Iterator[Sentence]:
    """Split code or settings."""
    setting = is_settings(path)
    above: list[tuple[int, str]] = []
    block, skip_to, spoke = 0, -1, False
    spans = [(start, end) for _, start, end in lines(text)]
    for at, (start, end) in enumerate(spans):
        said = text[start:end].strip()
        block += not said
        if start < skip_to or not any(character.isalnum() for character in said):
            continue
        begin = start + len(text[start:end]) - len(text[start:end].lstrip())
        above = [(other, name) for other, name in above if other < begin - start]
        heading = " ".join(name for _, name in above)
        if said in _QUOTES and spoke:
            spoke = False  # it ends what began before this part of the file
        elif opened := _DOCSTRING.match(text, begin):
            close = text.find(opened[1], opened.end())
            skip_to = close if close >= 0 else len(text)
            subject = _assigned(text, spans, at, begin - start)
            for sentence in Prose(text, opened.end(), skip_to, block=block).sentences():
                # What is documented belongs to its documentation: the name, and its value.
                whole = sentence.start if subject is None else subject
                subject = None
                yield replace(sentence, start=whole, heading=f"{heading} {sentence.heading}".strip())
        elif _is_prose(said):
            last, spoke = _prose_end(text, spans, at), True
            skip_to = last + 1
            yield from paragraph(text, begin, last, heading, block)
        elif marked := _COMMENT.match(text, begin, end):
            last = _run_end(text, spans, at, marked[1])
            skip_to = last + 1
            yield from paragraph(text, marked.end(), last, heading, block)
        else:
            weight = BORING if said.startswith(_BORING) else SETTING if setting else STATEMENT
            yield from pieces(text, start, end, weight, heading, "", block)
            above.append((begin - start, said[:100]))


def _assigned(text: str, spans: list[tuple[int, int]], at: int, depth: int) -> int | None:
    """Where the line above begins, if it gives the value that a docstring explains."""
    if not at:
        return None
    start, end = spans[at - 1]
    line = text[start:end]
    indent = len(line) - len(line.lstrip())
    return (
        start + indent if "=" in line and indent == depth and not line.rstrip().endswith((":", "(", "[", "{")) else None
    )


def _is_prose(said: str) -> bool:
    """Whether a line reads like a sentence: of a docstring whose beginning is not in this part of the file."""
    return (
        len(said.split()) >= MIN_PROSE
        and len(_PUNCTUATION.findall(said)) <= 2
        and not said.endswith((":", "{", ";", "="))
    )


def _prose_end(text: str, spans: list[tuple[int, int]], at: int) -> int:
    end = spans[at][1]
    for start, stop in spans[at + 1 :]:
        said = text[start:stop].strip()
        if not _is_prose(said) and (not said.endswith(".") or len(_PUNCTUATION.findall(said)) > 1):
            break
        end = stop
    return end


def _run_end(text: str, spans: list[tuple[int, int]], at: int, mark: str) -> int:
    """Where a comment ends that goes on over lines with the same mark."""
    end = spans[at][1]
    for start, stop in spans[at + 1 :]:
        found = _COMMENT.match(text[start:stop].lstrip())
        if not found or found[1] != mark:
            break
        end = stop
    return end
