"""Files of requests: a line each, or a list in YAML or JSON; read, and written."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from cutover.files import write_private
from cutover.parity.jsonpath import JsonPath
from cutover.parity.options import ComparedRequest
from cutover.parity.sources.credentials import is_secret_header
from cutover.parity.sources.drawn import LeavingOut, LeftOut, source_mistake
from cutover.parity.sources.listed import Listed, from_json, from_lines, from_yaml
from cutover.plan.nodes import spell
from cutover.redact import redact, redact_data

MAX_FILE_BYTES = 50 * 1024 * 1024
_MAX_MISTAKES = 5
_FIRST_KEYS = ("method", "path", "headers", "body", "json", "unsafe")
_READERS = {".yml": from_yaml, ".yaml": from_yaml, ".json": from_json}
_PLAIN_WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def read_requests(file: Path) -> list[ComparedRequest]:
    """``METHOD /path`` lines (blank lines and ``#`` are left out), or a list in .yml, .yaml or .json.

    Raises ``PydanticCustomError`` with the first mistakes, each with its place in the file.
    """
    try:
        if file.stat().st_size > MAX_FILE_BYTES:
            raise source_mistake(f"{file} is larger than {MAX_FILE_BYTES // 1024**2} MB")
        text = file.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8"
        raise source_mistake(f"{file} can't be read: {reason}") from None
    listed, mistakes = _READERS.get(file.suffix.lower(), from_lines)(file, text)
    requests: list[ComparedRequest] = []
    # What is not read as it stands may make mistakes that are none.
    for one in listed if not mistakes else ():
        try:
            requests.append(ComparedRequest.model_validate(one.value))
        except ValidationError as error:
            mistakes += [_told(one, line["loc"], line["msg"]) for line in error.errors(include_url=False)]
    if mistakes:
        more = f" and {len(mistakes) - _MAX_MISTAKES} more" if len(mistakes) > _MAX_MISTAKES else ""
        raise source_mistake("; ".join(mistakes[:_MAX_MISTAKES]) + more)
    return requests


def _told(one: Listed, location: tuple[str | int, ...], message: str) -> str:
    name = spell(location)
    return f"{one.place(location)}: {name}{': ' * bool(name)}{message}"


def write_requests(file: Path, requests: Iterable[ComparedRequest], *, origin: str) -> list[LeftOut]:
    """Write a YAML list that ``read_requests`` reads back as the same requests; mode 0600, whole or not at all.

    ``origin`` says in a comment on top where they came from. Headers that may hold credentials are not written, and a
    request that holds a secret elsewhere is left out; both are told. Raises ``CutoverError``.
    """
    leaving_out = LeavingOut()
    values: list[Any] = []
    for request in requests:
        value = _without_credentials(request, leaving_out)
        if redact_data(value) != value:
            leaving_out.add("holds a secret, which no file may", str(request))
        else:
            values.append(value)
    comment = "".join(f"# {line}\n" for line in redact(origin).splitlines())
    write_private(file, comment + _dumped(values))
    return leaving_out.told()


def _without_credentials(request: ComparedRequest, leaving_out: LeavingOut) -> Any:
    """The request as plans write it: one line where that says it all."""
    value = request.model_dump(by_alias=True, exclude_unset=True)
    for name in [name for name in request.headers if is_secret_header(name)]:
        leaving_out.add(f"written without the header {name}", str(request))
        del value["headers"][name]
    if not value.get("headers", True):
        del value["headers"]
    if set(value) <= {"method", "path"}:
        return str(request)
    first = {name: value[name] for name in _FIRST_KEYS if name in value}
    return {**first, **value}


def _dumped(values: list[Any]) -> str:
    import yaml  # noqa: PLC0415 - start-up time

    class Dumper(yaml.SafeDumper):
        """Quotes whatever YAML 1.1 or 1.2 might take for more than a text."""

        def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002 - as PyYAML calls it
            return True

    def text(dumper: yaml.SafeDumper, value: object) -> yaml.ScalarNode:
        plain = str(value)
        return dumper.represent_scalar("tag:yaml.org,2002:str", plain, None if _PLAIN_WORD.fullmatch(plain) else '"')

    Dumper.add_representer(str, text)
    Dumper.add_representer(JsonPath, text)
    dumped: str = yaml.dump(values, Dumper=Dumper, sort_keys=False, allow_unicode=True, width=1_000_000)
    return dumped
