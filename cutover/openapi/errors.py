"""What is wrong with an OpenAPI document, and where."""

from __future__ import annotations

from cutover.errors import UsageError

MAX_SHOWN_CHARS = 500


class DocumentError(UsageError):
    """``what`` is wrong with the document called ``name``, at a JSON pointer (empty: all of it)."""

    def __init__(self, name: str, what: str, pointer: str = "", hint: str | None = None) -> None:
        super().__init__(printable(f"{name}{f' at #{pointer}' if pointer else ''}: {what}"), hint)
        self.name = name
        self.what = what
        self.pointer = pointer


def escape(key: str) -> str:
    """A key as a part of a JSON pointer."""
    return key.replace("~", "~0").replace("/", "~1")


def printable(text: str) -> str:
    """A text of a document's as it can be shown: what would steer a terminal is escaped, what is long is cut."""
    text = text if len(text) <= MAX_SHOWN_CHARS else f"{text[:MAX_SHOWN_CHARS]}..."
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
