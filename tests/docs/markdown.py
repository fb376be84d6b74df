"""Reads the documentation as its readers do: headings, code blocks, tables, links, commands."""

from __future__ import annotations

import re
import shlex
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
README = ROOT / "README.md"
PAGES = [README, *sorted((ROOT / "docs").glob("*.md"))]
ALL_PAGES = [*PAGES, ROOT / "ARCHITECTURE.md", ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md"]

_FENCE = re.compile(r"^(?P<indent> *)```(?P<lang>\w*)[^\n]*\n(?P<text>.*?)^(?P=indent)```$", re.MULTILINE | re.DOTALL)
_HEADING = re.compile(r"^(#+) (.+)$", re.MULTILINE)
_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
_NOTE = re.compile(r"<!-- (.+?) -->\s*\Z")


@dataclass(frozen=True)
class Block:
    """A code block. ``heading`` is the one it stands under; ``note`` an HTML comment just above it."""

    page: Path
    line: int
    lang: str
    text: str
    heading: str
    note: str

    @property
    def where(self) -> str:
        return f"{self.page.name}:{self.line}"


@dataclass(frozen=True)
class Command:
    """A command that the docs show: ``words`` as a shell would part them."""

    where: str
    heading: str
    words: tuple[str, ...]


def prose(page: Path) -> str:
    """A page with its code blocks blanked out, line for line."""
    return _FENCE.sub(lambda m: "\n" * m.group().count("\n"), page.read_text())


def blocks(page: Path, *langs: str) -> list[Block]:
    text = page.read_text()
    heads = [(m.start(), m.group(2)) for m in _HEADING.finditer(prose_of_same_length(text))]
    found = []
    for match in _FENCE.finditer(text):
        if langs and match["lang"] not in langs:
            continue
        before = text[: match.start()]
        note = _NOTE.search(before)
        heading = [title for start, title in heads if start < match.start()]
        found.append(
            Block(
                page=page,
                line=before.count("\n") + 1,
                lang=match["lang"],
                text=textwrap.dedent(match["text"]),
                heading=heading[-1] if heading else "",
                note=note.group(1) if note else "",
            )
        )
    return found


def prose_of_same_length(text: str) -> str:
    return _FENCE.sub(lambda m: " " * len(m.group()), text)


def headings(page: Path) -> list[str]:
    return [match.group(2) for match in _HEADING.finditer(prose(page))]


def slug(heading: str) -> str:
    """The anchor that GitHub gives a heading."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def links(page: Path) -> Iterator[str]:
    yield from _LINK.findall(prose(page))


def section(page: Path, heading: str) -> str:
    """The text under a heading, up to the next one of any depth."""
    text = prose(page)
    match = re.search(rf"^#+ {re.escape(heading)}$\n(.*?)(?=^#+ |\Z)", text, re.MULTILINE | re.DOTALL)
    assert match, f"{page.name} has no heading {heading!r}"
    return match.group(1)


def tables(page: Path, heading: str) -> list[list[list[str]]]:
    """The tables under a heading; each a list of rows of cells, the head first."""
    found: list[list[list[str]]] = []
    inside = False
    for line in section(page, heading).splitlines():
        if not line.startswith("|"):
            inside = False
            continue
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if not inside:
            found.append([])
            inside = True
        if set("".join(cells)) - set("-: "):
            found[-1].append(cells)
    return found


def table(page: Path, heading: str, first: str) -> list[list[str]]:
    """The rows of the one table under a heading whose first column is called so, without its head."""
    (found,) = [rows for rows in tables(page, heading) if rows[0][0] == first]
    return found[1:]


def code(cell: str) -> list[str]:
    """What stands between backticks."""
    return re.findall(r"`([^`]+)`", cell)


def commands(page: Path) -> list[Command]:
    """Every ``cutover ...`` and ``make ...`` in the page's console and shell blocks, and in jobs of a pipeline."""
    found = []
    for block in blocks(page, "console", "sh", "yaml"):
        for line in block.text.splitlines():
            text = line.strip()
            if block.lang == "console":
                if not text.startswith("$ "):
                    continue
                text = text[2:]
            if block.lang == "yaml":
                if "jobs:" not in block.text:
                    continue
                text = text.removeprefix("- ").removeprefix("run: ")
            words = _words(text)
            if words and words[0] in {"cutover", "make"}:
                found.append(Command(block.where, block.heading, words))
    return found


def _words(text: str) -> tuple[str, ...]:
    """The first command of a line."""
    lexer = shlex.shlex(text, posix=True, punctuation_chars="|&;<>")
    lexer.whitespace_split = True
    words: list[str] = []
    try:
        for word in lexer:
            if set(word) <= set("|&;<>"):
                break
            words.append(word)
    except ValueError:
        return ()
    return tuple(words)
