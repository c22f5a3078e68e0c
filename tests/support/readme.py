"""Reading a README: its sections, its blocks of code, its tables."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
PATTERNS = (ROOT / "workflows" / "patterns" / "README.md").read_text(encoding="utf-8")


def section_of(text: str, title: str, level: str = "##") -> str:
    """The text below a heading, up to the next of its level."""
    found = text.partition(f"\n{level} {title}\n")[2].partition(f"\n{level} ")[0]
    assert found, f"there is no section {title!r}"
    return found


def blocks_of(text: str, language: str) -> list[str]:
    """What stands in fences of a language."""
    return re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)


def rows(text: str) -> list[list[str]]:
    """The cells of all tables, heads and rules too."""
    lines = [line for line in text.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line.strip().removeprefix("|").removesuffix("|").split(" | ")] for line in lines]
