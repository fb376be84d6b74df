"""What a run leaves for people to look at: files under its folder, redacted, closed to others, of bounded size."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from cutover.errors import CutoverError
from cutover.files import write_private
from cutover.redact import redact, redact_data

MAX_ARTIFACT_BYTES = 4 * 1024 * 1024
_UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")
_MAX_NAME_LENGTH = 100


class Artifacts:
    """Writes files under ``folder``. A file that could not be written is a sentence, never an error: a run, and above
    all a rollback, must not end for want of its records.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def path(self, name: str) -> Path:
        """Where ``name``, as in ``configs/before.conf``, is kept: always below ``folder``, whatever the name says."""
        parts = [_UNSAFE.sub("-", part).lstrip(".")[:_MAX_NAME_LENGTH] for part in name.split("/")]
        return self.folder.joinpath(*[part for part in parts if part] or ["unnamed"])

    def write(self, name: str, text: str) -> str | None:
        """Keep a text, or its end where it is too long; returns what went wrong, if anything did."""
        redacted = redact(text)
        tail = _tail(redacted)
        if tail is not redacted:
            tail = f"[the first {len(redacted) - len(tail)} of {len(redacted)} characters are left out]\n{tail}"
        return self._write(name, tail)

    def write_json(self, name: str, data: Any) -> str | None:
        """Keep JSON data. What is too long becomes ``{"truncated": true, "characters": N, "tail": "..."}``."""
        text = json.dumps(redact_data(data), indent=2, default=lambda value: redact(str(value)))
        tail = _tail(text)
        if tail is not text:
            text = json.dumps({"truncated": True, "characters": len(text), "tail": tail}, indent=2)
        return self._write(name, f"{text}\n")

    def _write(self, name: str, text: str) -> str | None:
        try:
            # A body that was no UTF-8 is shown as it was read, not refused.
            write_private(self.path(name), text.encode(errors="backslashreplace").decode())
        except CutoverError as error:
            return error.message
        return None


def _tail(text: str) -> str:
    """The text itself, or as much of its end as fits."""
    data = text.encode(errors="backslashreplace")
    if len(data) <= MAX_ARTIFACT_BYTES:
        return text
    return data[-MAX_ARTIFACT_BYTES:].decode(errors="ignore")
