"""YAML's complaints about syntax, in the words of whoever has to repair the line."""

from __future__ import annotations

import re
from typing import Any

from cutover.errors import Mistake

_REQUEST = re.compile(r"(?:GET|HEAD|POST|PUT|PATCH|DELETE|OPTIONS) /[^\s\]}'\"]*")
_BREAK = re.compile(r"\r\n|[\r\n\x85\u2028\u2029]")

# The parser's words (libyaml's, and PyYAML's own where they differ), and what they mean to the writer of a plan.
_BACKSLASH = "use single quotes, or write \\\\ for a backslash"
_COLUMN = "keys of one mapping begin in one column"
_INDENTED = "this line is not indented as the lines around it are"
_CURES: tuple[tuple[str, str, str | None], ...] = (
    ("mapping values are not allowed", "a ': ' where no key can stand", "quote the text, or mend the indentation"),
    ("found unexpected end of stream", "the quotes that open here are never closed", None),
    ("found unexpected document indicator", "the quotes that open here are never closed", None),
    ("expected ',' or ']'", "the list around this is not closed, or holds unquoted signs", "quote its texts"),
    ("expected ',' or '}'", "the mapping around this is not closed, or holds unquoted signs", "quote its texts"),
    ("could not find expected ':'", "a line without ': ' between keys", "write key: value"),
    (
        "expected '-' indicator",
        "a key among the items of a list",
        "indent it as deep as its item, or begin it with '- '",
    ),
    ("expected <block end>", _INDENTED, _COLUMN),
    ("expected key", _INDENTED, _COLUMN),
    ("sequence entries are not allowed", "a '- ' where no list item can stand", "put it on a line of its own"),
    ("cannot start any token", "a text can't begin with this sign", "quote the text"),
    ("unknown escape character", "an unknown escape in double quotes", _BACKSLASH),
    ("invalid Unicode character escape", "an escape that is no character", _BACKSLASH),
    ("expected escape sequence", "an unknown escape in double quotes", _BACKSLASH),
    ("undefined tag handle", "a tag of one's own; plans have none", "quote the text if it begins with '!'"),
    ("expected the node content", "a value is missing here, or begins with a sign that needs quotes", "quote the text"),
    ("expected <document start>", "the plan's mapping ended above", _COLUMN),
)
# Where these open is more telling than where the parser gave up.
_OPENING = ("found unexpected end of stream", "found unexpected document indicator", "expected ',' or")


def explain(error: Any, text: str, file: str) -> Mistake:
    """The mistake of a ``yaml.YAMLError``: where, what, and its cure. Of the plan's text it shows requests alone."""
    problem = str(getattr(error, "problem", None) or "this is not YAML")
    mark = getattr(error, "problem_mark", None)
    if mark is None:
        return Mistake(file, 0, 0, "", f"this is not YAML: {problem}")
    lines = _BREAK.split(text)
    if tab := _tab(lines, mark.line, problem):
        line, column = tab
        return Mistake(file, line, column, "", "a tab in the indentation", "YAML indents with spaces only")
    if lines[mark.line : mark.line + 1] and lines[mark.line][: mark.column].endswith("$"):
        message = "YAML takes the brace of an unquoted ${...} for its own inside [ ] and { }"
        return Mistake(file, mark.line + 1, mark.column, "", message, 'quote it: "${...}"')
    context = getattr(error, "context_mark", None)
    if context is not None and problem.removeprefix("did not find ").startswith(_OPENING):
        mark = context if problem.startswith("found") else mark
    for number in (mark.line, context.line) if context else (mark.line,):
        if number < len(lines) and (request := _REQUEST.search(lines[number])):
            if lines[number][: request.start()].endswith(("'", '"')):
                continue
            message = f"YAML tears the request {request.group()[:80]!r} apart at ',', '?', '{{' or ': '"
            return Mistake(file, number + 1, request.start() + 1, "", message, f'quote it: "{request.group()[:80]}"')
    for words, message, hint in _CURES:
        if words in problem:
            return Mistake(file, mark.line + 1, mark.column + 1, "", message, hint)
    return Mistake(file, mark.line + 1, mark.column + 1, "", f"this is not YAML: {problem}")


def _tab(lines: list[str], at: int, problem: str) -> tuple[int, int] | None:
    """The tab that is to blame: on this line or, where the parser noticed late, on one just before it."""
    if "tab character" in problem or r"\t" in problem:
        return at + 1, lines[at].index("\t") + 1 if at < len(lines) and "\t" in lines[at] else 1
    for number in range(min(at, len(lines) - 1), max(at - 3, -1), -1):
        indentation = lines[number][: len(lines[number]) - len(lines[number].lstrip())]
        if "\t" in indentation and lines[number].strip():
            return number + 1, indentation.index("\t") + 1
    return None
