"""Files of requests: a line each, or a list in YAML or JSON."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from pydantic_core import PydanticCustomError

from cutover.parity.options import ComparedRequest

MAX_FILE_BYTES = 50 * 1024 * 1024
_MAX_MISTAKES = 5


def read_requests(file: Path) -> list[ComparedRequest]:
    """``METHOD /path`` lines (blank lines and ``#`` are left out), or a list in .yml, .yaml or .json.

    Raises ``PydanticCustomError`` with the first mistakes, each with its place in the file.
    """
    try:
        if file.stat().st_size > MAX_FILE_BYTES:
            raise _mistake(f"{file} is larger than {MAX_FILE_BYTES // 1024**2} MB")
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8"
        raise _mistake(f"{file} can't be read: {reason}") from None
    listed = _listed(file, text) if file.suffix in {".yml", ".yaml", ".json"} else _lines(file, text)
    requests: list[ComparedRequest] = []
    mistakes: list[str] = []
    for place, value in listed:
        try:
            requests.append(ComparedRequest.model_validate(value))
        except ValidationError as error:
            mistakes.extend(f"{place}: {line['msg']}" for line in error.errors(include_url=False))
    if mistakes:
        more = f" and {len(mistakes) - _MAX_MISTAKES} more" if len(mistakes) > _MAX_MISTAKES else ""
        raise _mistake("; ".join(mistakes[:_MAX_MISTAKES]) + more)
    return requests


def _lines(file: Path, text: str) -> list[tuple[str, Any]]:
    numbered = ((number, line.strip()) for number, line in enumerate(text.splitlines(), 1))
    return [(f"{file}:{number}", line) for number, line in numbered if line and not line.startswith("#")]


def _listed(file: Path, text: str) -> list[tuple[str, Any]]:
    import yaml  # noqa: PLC0415 - start-up time

    try:
        values = json.loads(text) if file.suffix == ".json" else yaml.safe_load(text)
    except (ValueError, yaml.YAMLError) as error:
        raise _mistake(f"{file}: {str(error).splitlines()[0]}") from None
    if not isinstance(values, list):
        raise _mistake(f"{file} holds no list of requests")
    return [(f"{file}, item {number}", value) for number, value in enumerate(values, 1)]


def _mistake(message: str) -> PydanticCustomError:
    return PydanticCustomError("requests_file", "{message}", {"message": message})
