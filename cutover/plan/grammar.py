"""The strict grammar of what ends in a proxy's configuration file, so that no plan can inject a directive."""

from __future__ import annotations

import re
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator
from pydantic_core import PydanticCustomError

HOST = r"(?:[A-Za-z0-9](?:[A-Za-z0-9._-]{0,252}[A-Za-z0-9])?|\[[0-9A-Fa-f:.]{2,45}\])"
_SERVER = re.compile(rf"{HOST}:([0-9]{{1,5}})|unix:/[A-Za-z0-9._/-]+")
_LISTEN = re.compile(
    rf"(?:(?:{HOST}|\*):)?([0-9]{{1,5}})(?: (?:ssl|http2|default_server|reuseport|ipv6only=o(?:n|ff)))*"
)
_FILE = re.compile(r"/[A-Za-z0-9._/@+-]+")
_LOCATION = re.compile(r"/[A-Za-z0-9._~/%@:+-]*")
KEY = re.compile(r"(?:\$[a-z_][a-z0-9_]*+|[A-Za-z0-9._:|-])++")
_TOKEN = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,63}")
_SERVER_NAME = re.compile(r"(?:\*\.)?[A-Za-z0-9_](?:[A-Za-z0-9._-]{0,252})")
_NOT_IN_URLS = re.compile(r"[\s\x00-\x1f\x7f]")
MAX_PORT = 65535


def mistake(message: str) -> PydanticCustomError:
    return PydanticCustomError("plan", "{message}", {"message": message})


def missing(what: str) -> PydanticCustomError:
    return PydanticCustomError("missing", "{message}", {"message": f"is missing: {what}"})


def grammar(pattern: re.Pattern[str], what: str) -> AfterValidator:
    """Text that is ``what``; the pattern's first group, where it has one, is a port."""

    def check(value: str) -> str:
        match = pattern.fullmatch(value)
        if match is None or ".." in value:
            raise mistake(f"{value!r} is not {what}")
        if match.groups() and match.group(1) and not 0 < int(match.group(1)) <= MAX_PORT:
            raise mistake(f"{value!r}: ports go from 1 to {MAX_PORT}")
        return value

    return AfterValidator(check)


Server = Annotated[str, grammar(_SERVER, "a server; write host:port, [v6]:port or unix:/path")]
FilePath = Annotated[str, grammar(_FILE, "an absolute path of letters, digits and . _ / @ + -")]
Listen = Annotated[str, grammar(_LISTEN, "an address to listen on; write 8080 or 127.0.0.1:8080")]
LocationPath = Annotated[str, grammar(_LOCATION, "a path prefix; write /api/ without spaces, quotes or braces")]
ServerName = Annotated[str, grammar(_SERVER_NAME, "a server name")]
Token = Annotated[str, grammar(_TOKEN, "a name of letters, digits, _ and -")]


def _check_url(value: str) -> str:
    if _NOT_IN_URLS.search(value):
        raise mistake(f"{value!r} is not a URL: it holds a space or a control character")
    try:
        parts = urlsplit(value)
        port = parts.port
    except ValueError as error:
        # What is taken for a port may be half a password.
        why = "write / ? # and @ of a password as %2F %3F %23 and %40" if "@" in value else str(error)
        raise mistake(f"{value!r} is not a URL: {why}") from None
    if parts.scheme not in {"http", "https"} or not parts.hostname or port == 0:
        raise mistake(f"{value!r} is not a URL of the form http://host:port")
    if parts.query or parts.fragment:
        raise mistake(f"{value!r}: a base URL has no query and no fragment")
    return value.rstrip("/")


Url = Annotated[str, AfterValidator(_check_url)]


def host_and_port(url: str) -> str | None:
    """Where the proxy finds a URL's server, or None if the URL doesn't say."""
    try:
        parts = urlsplit(url)
        port = parts.port or {"http": 80, "https": 443}.get(parts.scheme)
    except ValueError:
        return None
    if not parts.hostname or port is None:
        return None
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return f"{host}:{port}"
