"""What of a recorded request may hold a secret: query parameters, headers, and parts of a path."""

from __future__ import annotations

import re
from functools import lru_cache
from urllib.parse import unquote_plus

from cutover.redact import MASK, MIN_SECRET_LENGTH

MAX_NAME_CHARS = 50
_MAX_ENCODINGS = 3

# Compared in lower case and without separators, as a whole and by the last part: user[password], X-Amz-Signature.
_SECRET_NAMES = frozenset({
    "accesskey", "accesskeyid", "apikey", "assertion", "auth", "authorization", "awsaccesskeyid", "bearer",
    "clientassertion", "connectsid", "cookie", "credential", "credentials", "csrf", "csrfmiddlewaretoken", "hmac",
    "idtokenhint", "jsessionid", "jwt", "nonce", "otp", "passcode", "passphrase", "passwd", "password", "phpsessid",
    "privatekey", "pwd", "samlrequest", "samlresponse", "secret", "secretkey", "sessid", "sessionid", "sessionkey",
    "sessiontoken", "sig", "signature", "sso", "ssoticket", "token", "totp", "verifier", "xsrf",
})  # fmt: skip
_SECRET_ENDINGS = (
    "accesskey", "apikey", "credential", "jwt", "passphrase", "passwd", "password", "privatekey", "secret",
    "secretkey", "sessionid", "signature", "token",
)  # fmt: skip
# Where they page through a list these are no credentials.
_PAGE_TOKENS = frozenset({
    "aftertoken", "beforetoken", "continuationtoken", "cursortoken", "nextpagetoken", "nexttoken", "pagetoken",
    "prevpagetoken", "skiptoken", "synctoken",
})  # fmt: skip
# Words of other meanings, too (a colour's code, a study's id): what is shorter than any secret stays.
_AMBIGUOUS = frozenset({"code", "key", "pass", "pin", "session", "sid", "state", "ticket"})

_SECRET_HEADERS = re.compile(
    r"auth|cookie|token|secret|passw|api-?key|access-?key|credential|signature|session|csrf|xsrf|jwt", re.IGNORECASE
)
_SEPARATORS = re.compile("[&;]")
_INNER_NAME = re.compile(r"""(?:^|[?&;#,{"'\s])([\w.\[\]$-]{1,100})["']?\s{0,5}[=:]\s{0,5}["']?([^?&;#,"'\s]{0,20})""")
_JWT = re.compile(r"eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}(?:\.[A-Za-z0-9_.-]*)?")
_MATRIX = re.compile(r";([^;/=?]{1,100})=([^;/?]*)")
_USERINFO = re.compile(r"://[^/?#\s@]{1,500}@")
_PART = re.compile(r"[.\[\]]+")
_SEPARATOR = re.compile(r"[^a-z0-9]+")


def is_secret_header(name: str) -> bool:
    """Whether a header's name says that it may carry a credential."""
    return _SECRET_HEADERS.search(name) is not None


def is_secret_parameter(name: str, value: str) -> bool:
    """Whether a query parameter, decoded, may carry a credential, by its own name or by one within its value."""
    if _secret_name(name, value) or ("eyJ" in value and _JWT.search(value)):
        return True
    if "=" not in value and ":" not in value:
        return False
    if _USERINFO.search(value):
        return True
    return any(_secret_name(inner, held) for inner, held in _INNER_NAME.findall(value))


def _secret_name(name: str, value: str) -> bool:
    secret, ambiguous = _judged(name)
    return secret or (ambiguous and len(value) >= MIN_SECRET_LENGTH)


@lru_cache(maxsize=4096)
def _judged(name: str) -> tuple[bool, bool]:
    parts = [_SEPARATOR.sub("", part) for part in _PART.split(name.lower())]
    names = {"".join(parts), next((part for part in reversed(parts) if part), "")}
    secret = any(one in _SECRET_NAMES or (one.endswith(_SECRET_ENDINGS) and one not in _PAGE_TOKENS) for one in names)
    return secret and not names & _PAGE_TOKENS, not names.isdisjoint(_AMBIGUOUS)


def without_secrets(target: str) -> tuple[str, list[str]]:
    """A path with its query as it may be asked and shown, and the names of the parameters that were taken out.

    What is left keeps its spelling and order. A token that is a part of the path itself becomes ``***``.
    """
    path, mark, query = target.partition("?")
    taken: list[str] = []
    if ";" in path:
        path = _MATRIX.sub(lambda found: _kept_matrix(found, taken), path)
    if "eyJ" in path:
        path = _JWT.sub(MASK, path)
    kept = _kept_query(query, taken) if query else query
    return (path if query and not kept else path + mark + kept), taken


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
