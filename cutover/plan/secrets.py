"""Which parts of a plan are secret: header values, URL userinfo, and variables used in those or in bodies."""

from __future__ import annotations

import base64
import binascii
import re
from urllib.parse import unquote, urlsplit

from cutover.plan.variables import REFERENCE
from cutover.redact import MASK, MIN_SECRET_LENGTH

HEADERS_KEY = "headers"
BODY_KEYS = frozenset({"body", "json"})
_OPEN_HEADERS = frozenset({"content-type", "user-agent", "host", "cache-control", "connection", "upgrade"})
_OPEN_PREFIXES = ("accept", "x-cutover")

# The authority of a URL; variables in it may hold any sign. Possessive, as it must not try the same text twice.
_AUTHORITY = re.compile(r"://((?:\$\{[^}]{0,100}\}|[^/?#\s])*+)")
_ODD_AUTHORITY = re.compile(r"://(\S*)")
_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)")


def is_secret_header(name: str) -> bool:
    lowered = name.lower()
    return lowered not in _OPEN_HEADERS and not lowered.startswith(_OPEN_PREFIXES)


def header_secrets(name: str, value: str) -> set[str]:
    """The value, what follows its scheme (``Bearer xyz``), what Basic hides, and the values of a Cookie's pairs."""
    secrets = {value}
    scheme, _, credentials = value.strip().partition(" ")
    if credentials and scheme.isalpha():
        secrets.add(credentials.strip())
    if scheme.lower() == "basic":
        secrets |= _basic_secrets(credentials.strip())
    if name.lower() in {"cookie", "set-cookie"}:
        secrets |= {pair.partition("=")[2].strip() for pair in value.split(";")}
    return secrets


def literal_secrets(name: str, value: str) -> set[str]:
    """What is secret in a header's value beside the references to what steps save."""
    secrets = header_secrets(name, value)
    if len(secrets) > 1:
        # What names a scheme or a cookie is no secret.
        secrets.discard(value)
    return {piece for secret in secrets for piece in REFERENCE.split(secret)[::2]}


def _basic_secrets(credentials: str) -> set[str]:
    try:
        decoded = base64.b64decode(credentials, validate=True).decode()
    except (binascii.Error, ValueError):
        return set()
    return {decoded, decoded.partition(":")[2]}


def userinfo(text: str) -> list[str]:
    """What stands before the ``@`` of each URL in a text."""
    return [text[start:end] for start, end in _userinfo_spans(text)]


def _userinfo_spans(text: str) -> list[tuple[int, int]]:
    if "@" not in text:
        return []
    authorities = [match.span(1) for match in _AUTHORITY.finditer(text)]
    spans = [(start, text.rfind("@", start, end)) for start, end in authorities]
    found = [(start, at) for start, at in spans if at > start]
    if not found and not _is_url(text) and (odd := _ODD_AUTHORITY.search(text)):
        found = [(odd.start(1), at)] if (at := text.rfind("@", *odd.span(1))) > odd.start(1) else []
    return found


def userinfo_secrets(text: str) -> set[str]:
    """``user:password`` and the password, as written and decoded; a user alone is a token."""
    secrets = set()
    for info in userinfo(text):
        password = info.partition(":")[2]
        secrets |= {info, unquote(info), password, unquote(password)}
    return secrets


def userinfo_variables(raw: str) -> set[str]:
    """The variables in the userinfo of a text that is not yet interpolated."""
    return {name for info in userinfo(raw) for name in _VARIABLE.findall(info)}


def mask_userinfo(text: str) -> str:
    parts, done = [], 0
    for start, end in _userinfo_spans(text):
        info = text[start:end]
        parts += [text[done:start], MASK if MASK in info or len(info) >= MIN_SECRET_LENGTH else info]
        done = end
    return "".join([*parts, text[done:]])


def _is_url(text: str) -> bool:
    try:
        _ = urlsplit(text.strip()).port
    except ValueError:
        return False
    return True
