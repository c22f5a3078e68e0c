"""The words of an HTML page, each on the line of the file on which it stands, so that ``page.html:12`` is right.

One pass that never looks back: the parser of the standard library takes quadratic time on tags that never end, and
somebody else's four megabytes would hold the command for hours. Nesting is not followed, so it cannot be too deep.
"""

import html
import re

_INLINE_NAMES = """a abbr acronym b bdi bdo big cite code data del dfn em font i ins kbd label mark q s samp small span strike
    strong sub sup time tt u var wbr"""
_INLINE = frozenset(_INLINE_NAMES.split())
"""Tags that stand within a word; all others separate words."""
_RAW = {
    name: re.compile(rf"</{name}(?=[\s/>])", re.IGNORECASE) for name in ("script", "style", "iframe", "noembed", "xmp")
}
"""Elements whose content is no markup; it is dropped."""
_TAG_NAME = re.compile(r"/?([A-Za-z][^\s/>]{0,40})")
_VALUE_OR_END = re.compile(r"=[ \t\r\n\f]*[\"']|>")
_BLANKS = re.compile(r"[ \t\r\f\v\u00a0]+")


def html_text(source: str) -> str:
    """The text of a page: tags, comments, scripts and styles blanked out, entities decoded, line ends kept.

    White space within a line is one space. What an unfinished tag or comment swallows is gone, as in a browser.
    """
    parts: list[str] = []
    at = 0
    while at < len(source):
        start = source.find("<", at)
        start = len(source) if start < 0 else start
        parts.append(_decoded(source[at:start]))
        if start == len(source):
            break
        end, gap = _markup(source, start)
        parts.append(gap + "\n" * source.count("\n", start, end) if gap != "<" else gap)
        at = end
    return "\n".join(_BLANKS.sub(" ", line).strip() for line in "".join(parts).split("\n"))


def _markup(source: str, start: int) -> tuple[int, str]:
    """Where the markup at ``start`` ends, and what stands for it; ``<`` where it is none."""
    if source.startswith("<!--", start):
        return _after(source, "-->", start + 4), " "
    if source.startswith(("<!", "<?"), start):
        return _after(source, ">", start + 2), " "
    found = _TAG_NAME.match(source, start + 1)
    if not found:
        return (_after(source, ">", start + 2), " ") if source.startswith("</", start) else (start + 1, "<")
    end = _tag_end(source, found.end())
    name = found[1].lower()
    if name in _RAW and source[start + 1] != "/":
        close = _RAW[name].search(source, end)
        return (_tag_end(source, close.end()) if close else len(source)), " "
    return end, "" if name in _INLINE else " "


def _tag_end(source: str, at: int) -> int:
    """The offset after the ``>`` that ends a tag: one within a quoted value does not."""
    while found := _VALUE_OR_END.search(source, at):
        if found[0] == ">":
            return found.end()
        at = _after(source, found[0][-1], found.end())
    return len(source)


def _after(source: str, mark: str, at: int) -> int:
    end = source.find(mark, at)
    return len(source) if end < 0 else end + len(mark)


def _decoded(text: str) -> str:
    """Entities as characters, line by line: an encoded line end must not move what follows it."""
    if "&" not in text:
        return text
    return "\n".join(html.unescape(line).replace("\n", " ").replace("\0", " ") for line in text.split("\n"))
