"""What of a recorded request may hold a secret: query parameters, headers, and parts of a path."""

from __future__ import annotations

import re
from urllib.parse import unquote_plus

from cutover.parity.confidential import JWT, MIN_TOKEN_CHARS, is_secret_name, is_token_segment
from cutover.redact import MASK

MAX_NAME_CHARS = 50
_MAX_ENCODINGS = 3

_SECRET_HEADERS = re.compile(
    r"auth|cookie|token|secret|passw|api-?key|access-?key|credential|signature|session|csrf|xsrf|jwt", re.IGNORECASE
)
_SEPARATORS = re.compile("[&;]")
_INNER_NAME = re.compile(r"""(?:^|[?&;#,{"'\s])([\w.\[\]$-]{1,100})["']?\s{0,5}[=:]\s{0,5}["']?([^?&;#,"'\s]{0,20})""")
_MATRIX = re.compile(r";([^;/=?]{1,100})=([^;/?]*)")
_USERINFO = re.compile(r"://[^/?#\s@]{1,500}@")


def is_secret_header(name: str) -> bool:
    """Whether a header's name says that it may carry a credential."""
    return _SECRET_HEADERS.search(name) is not None


def is_secret_parameter(name: str, value: str) -> bool:
    """Whether a query parameter, decoded, may carry a credential, by its own name or by one within its value."""
    if is_secret_name(name, value) or ("eyJ" in value and JWT.search(value)):
        return True
    if "=" not in value and ":" not in value:
        return False
    if _USERINFO.search(value):
        return True
    return any(is_secret_name(inner, held) for inner, held in _INNER_NAME.findall(value))


def without_secrets(target: str) -> tuple[str, list[str]]:
    """A path with its query as it may be asked and shown, and the names of the parameters that were taken out.

    What is left keeps its spelling and order. A token that is a part of the path itself becomes ``***``.
    """
    path, mark, query = target.partition("?")
    taken: list[str] = []
    if ";" in path:
        path = _MATRIX.sub(lambda found: _kept_matrix(found, taken), path)
    if len(path) > MIN_TOKEN_CHARS:
        path = _without_tokens(path)
    kept = _kept_query(query, taken) if query else query
    return (path if query and not kept else path + mark + kept), taken


def _without_tokens(path: str) -> str:
    if "eyJ" in path:
        path = JWT.sub(MASK, path)
    parts = path.split("/")
    if all(len(part) < MIN_TOKEN_CHARS for part in parts):
        return path
    plain = [_decoded(part) for part in parts]
    return "/".join(
        MASK if is_token_segment(one, plain[:number]) else part
        for number, (part, one) in enumerate(zip(parts, plain, strict=True))
    )


def _kept_query(query: str, taken: list[str]) -> str:
    kept = ""
    for between, piece in zip(("&", *_SEPARATORS.findall(query)), _SEPARATORS.split(query), strict=True):
        name, _, value = piece.partition("=")
        if is_secret_parameter(_decoded(name), _decoded(value)):
            taken.append(_decoded(name)[:MAX_NAME_CHARS])
        else:
            kept += between + piece if kept else piece
    return kept


def _kept_matrix(found: re.Match[str], taken: list[str]) -> str:
    name, value = _decoded(found[1]), _decoded(found[2])
    if not is_secret_parameter(name, value):
        return found[0]
    taken.append(name[:MAX_NAME_CHARS])
    return ""


def _decoded(text: str) -> str:
    """As a server may read it; encoded twice where a URL stands in a URL."""
    for _ in range(_MAX_ENCODINGS):
        if "%" not in text and "+" not in text:
            break
        text = unquote_plus(text)
    return text
