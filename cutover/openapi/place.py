"""What the name of a document means."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from cutover.openapi.errors import DocumentError


class Place(StrEnum):
    URL = "url"
    FILE = "file"
    BACKEND = "backend"


def place_of(where: str) -> Place:
    """What a name means: with ``://`` a URL, else an existing file, else with ``/`` at its start a path on a backend.

    Raises ``DocumentError`` where it is none of them.
    """
    if "://" in where:
        if not where.lower().startswith(("http://", "https://")):
            raise DocumentError(shown(where), "is no http:// or https:// URL")
        return Place.URL
    if _is_file(where):
        return Place.FILE
    if where.startswith("/") and not any(character.isspace() for character in where):
        return Place.BACKEND
    raise DocumentError(where, "is no file that exists, no URL, and no path on a backend, which begins with /")


def shown(url: str) -> str:
    """A URL without its userinfo: fit to be shown."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return url.rpartition("@")[2]
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2], fragment=""))


def _is_file(where: str) -> bool:
    try:
        return Path(where).is_file()
    except (OSError, ValueError):
        return False
