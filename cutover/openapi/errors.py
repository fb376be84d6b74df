"""What is wrong with an OpenAPI document, and where."""

from __future__ import annotations

from cutover.errors import UsageError


class DocumentError(UsageError):
    """``what`` is wrong with the document called ``name``, at a JSON pointer (empty: all of it)."""

    def __init__(self, name: str, what: str, pointer: str = "", hint: str | None = None) -> None:
        super().__init__(f"{name}{f' at #{pointer}' if pointer else ''}: {what}", hint)
        self.name = name
        self.what = what
        self.pointer = pointer


def escape(key: str) -> str:
    """A key as a part of a JSON pointer."""
    return key.replace("~", "~0").replace("/", "~1")
