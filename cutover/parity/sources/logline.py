"""One line of an access log: nginx's combined format and what begins like it, and JSON with keys of any spelling."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, NamedTuple
from urllib.parse import quote_from_bytes, urlsplit

# Before the request there may be anything; after it combined has the status.
_REQUEST = re.compile(rb'"([A-Z]{3,20}) (/[^\s"]*) HTTP/\d(?:\.\d)?"(?: "?(\d{3})\b)?')
_BARE_REQUEST = re.compile(r"([A-Z]{3,20}) (/\S*) HTTP/\d(?:\.\d)?")
_ESCAPED = re.compile(rb"\\x([0-9A-Fa-f]{2})")
_OWN_AGENT = b'"cutover/'
_OWN_PATH = "/.cutover/"

# Names without case and separators; those of nested objects are joined: {"http": {"request": {"method": ...}}}.
_LINES = ("request", "requestline", "httprequest")
_METHODS = ("requestmethod", "httprequestmethod", "httpmethod", "method", "verb")
_TARGETS = (
    "requesturi", "urloriginal", "originaluri", "requesturl", "httprequesturl", "requestpath", "url", "uri", "urlpath",
    "path", "documenturi", "request",
)  # fmt: skip
_DECODED_TARGETS = ("uri", "documenturi")
_ARGUMENTS = ("args", "querystring", "requestquery", "urlquery", "query", "requestargs")
_STATUSES = (
    "status", "statuscode", "responsestatus", "responsestatuscode", "httpstatus", "httpstatuscode",
    "httpresponsestatuscode", "responsecode", "downstreamstatus",
)  # fmt: skip
_AGENTS = ("httpuseragent", "useragent", "agent", "requestuseragent", "useragentoriginal")
_ENVELOPES = ("log", "message", "msg", "line")
_OWN_FORMAT = frozenset({"upstreamaddr", "route", "side", "probe"})

_MAX_LEVELS = 3
_MAX_MEMBERS = 200
_NOT_IN_NAMES = re.compile(r"[^a-z0-9]+")
_NOTHING = frozenset({"", "-"})
_PLAIN = re.compile(rb"[A-Za-z0-9!$%&'()*+,./:;=?@\[\]_~-]*")
# All of ASCII that a request line may hold and a URL should: what is percent-encoded stays so.
_SAFE_IN_DECODED = "!$&'()*+,-./:;=@[]_~"
_SAFE = _SAFE_IN_DECODED + "%?"

Fields = Mapping[str, Any]


class Logged(NamedTuple):
    """``target`` is a path with its query, in printable ASCII. ``status`` is 0 where the log has none.

    ``own``: cutover itself asked. ``cut``: the log keeps no query.
    """

    method: str
    target: str
    status: int = 0
    own: bool = False
    cut: bool = False


def parse_line(line: bytes) -> Logged | None:
    """The request of a line of any content; None where there is none, or none for a path."""
    if line.lstrip()[:1] == b"{":
        record = _record(line)
        return _from_record(record, 0) if record is not None else None
    found = _REQUEST.search(line)
    if found is not None:
        method, target, status = found.groups()
        return _logged(method.decode(), _on_wire(target), int(status or 0), own=_OWN_AGENT in line)
    # Collectors put a time and a host before the line.
    begin = line.find(b'{"')
    return parse_line(line[begin:]) if begin > 0 else None


def _logged(method: str, target: bytes, status: int, *, own: bool, decoded: bool = False, cut: bool = False) -> Logged:
    path = quote_from_bytes(target, _SAFE_IN_DECODED) if decoded else asked(target)
    return Logged(method, path, status, own=own or path.startswith(_OWN_PATH), cut=cut)


def asked(target: bytes) -> str:
    return target.decode() if _PLAIN.fullmatch(target) else quote_from_bytes(target.partition(b"#")[0], _SAFE)


def _on_wire(escaped: bytes) -> bytes:
    r"""What nginx was sent, of what it wrote: ``\xNN`` for quotes, backslashes and all that is not printable ASCII."""
    return _ESCAPED.sub(_byte, escaped) if b"\\x" in escaped else escaped


def _byte(found: re.Match[bytes]) -> bytes:
    return bytes.fromhex(found[1].decode())


def _record(line: bytes) -> dict[str, Any] | None:
    from orjson import loads  # noqa: PLC0415 - start-up time

    try:
        record = loads(line)
    except ValueError:
        try:
            # Without escape=json nginx writes \xNN into JSON; with it, bytes that are no UTF-8 as they are.
            text = _ESCAPED.sub(_as_json, line).decode("utf-8", "surrogateescape")
            record = json.loads(text, strict=False)
        except (ValueError, RecursionError):
            return None
    return record if isinstance(record, dict) else None


def _as_json(found: re.Match[bytes]) -> bytes:
    byte = _byte(found)
    return b"\\u00" + found[1] if byte < b" " or byte in {b'"', b"\\"} else byte


def _from_record(record: dict[str, Any], level: int) -> Logged | None:
    fields = _flat(record) if any(type(value) is dict for value in record.values()) else record
    roles = _roles(tuple(fields))
    status, own = _status(fields, roles), _is_own(fields, roles)
    line = _text(fields, roles.lines)
    if line and (found := _BARE_REQUEST.fullmatch(line)):
        return _logged(found[1], _bytes(found[2]), status, own=own)
    method = _text(fields, roles.methods)
    if method and _text(fields, roles.targets):
        return _from_parts(fields, roles, method, status, own=own)
    envelope = _text(fields, roles.envelopes)
    if envelope and level < _MAX_LEVELS:
        inner = _bytes(envelope.strip())
        nested = _record(inner) if inner.startswith(b"{") else None
        return _from_record(nested, level + 1) if nested is not None else _from_text(inner)
    return None


def _from_text(line: bytes) -> Logged | None:
    return parse_line(line) if _REQUEST.search(line) else None


def _from_parts(fields: Fields, roles: _Roles, method: str, status: int, *, own: bool) -> Logged | None:
    target, query = _text(fields, roles.targets), _text(fields, roles.arguments)
    if "://" in target:
        parts = urlsplit(target)
        target = f"{parts.path or '/'}?{parts.query}" if parts.query else parts.path or "/"
    if not target.startswith("/") or not method.isalpha():
        return None
    has_query = bool(query) and not target.endswith(f"?{query}")
    # nginx's $uri is without the query, and decoded.
    decoded = roles.decoded and (roles.cutovers or bool(roles.arguments)) and (has_query or not query)
    logged = _logged(method.upper(), _bytes(target), status, own=own, decoded=decoded, cut=roles.cutovers)
    return logged._replace(target=f"{logged.target}?{asked(_bytes(query))}") if has_query else logged


class _Roles(NamedTuple):
    """Which members of an object say what, those that are preferred first. ``cutovers``: cutover's own format.

    ``decoded``: the path is what nginx calls $uri.
    """

    lines: tuple[str, ...]
    methods: tuple[str, ...]
    targets: tuple[str, ...]
    arguments: tuple[str, ...]
    statuses: tuple[str, ...]
    agents: tuple[str, ...]
    envelopes: tuple[str, ...]
    probes: tuple[str, ...]
    decoded: bool
    cutovers: bool


@lru_cache(maxsize=256)
def _roles(names: tuple[str, ...]) -> _Roles:
    """Nearly all lines of a log have the same members."""
    plain = {_plain(name): name for name in reversed(names)}

    def those(wanted: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(plain[name] for name in wanted if name in plain)

    cutovers = plain.keys() >= _OWN_FORMAT
    return _Roles(
        lines=those(_LINES),
        methods=those(_METHODS),
        targets=those(_TARGETS),
        arguments=those(_ARGUMENTS),
        statuses=those(_STATUSES),
        agents=those(_AGENTS),
        envelopes=those(_ENVELOPES),
        probes=tuple(
            own for name, own in plain.items() if name.endswith("cutoverprobe") or (cutovers and name == "probe")
        ),
        decoded=next((name in _DECODED_TARGETS for name in _TARGETS if name in plain), False),
        cutovers=cutovers,
    )


def _plain(name: str) -> str:
    return _NOT_IN_NAMES.sub("", name.lower())


def _flat(record: Fields, prefix: str = "", level: int = 0) -> dict[str, Any]:
    """Members of an object and of those in it, by their joined and by their own names; the outermost count."""
    flat: dict[str, Any] = {}
    members = list(record.items())[:_MAX_MEMBERS]
    for name, value in members:
        if type(value) is not dict:
            flat[name] = flat[prefix + name] = value
    for name, value in members:
        if type(value) is dict and level < _MAX_LEVELS:
            flat = {**_flat(value, prefix + name, level + 1), **flat}
    return flat


def _text(fields: Fields, names: tuple[str, ...]) -> str:
    for name in names:
        value = fields[name]
        if type(value) is str and value not in _NOTHING:
            return value
    return ""


def _status(fields: Fields, roles: _Roles) -> int:
    for name in roles.statuses:
        value = fields[name]
        if type(value) is int or (type(value) is str and value.isascii() and value.isdigit() and len(value) == 3):  # noqa: PLR2004 - digits of a status
            return int(value)
    return 0


def _is_own(fields: Fields, roles: _Roles) -> bool:
    return _text(fields, roles.agents).startswith("cutover/") or bool(_text(fields, roles.probes))


def _bytes(text: str) -> bytes:
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return text.encode("utf-8", "surrogatepass")
