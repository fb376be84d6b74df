"""What is taken for a secret wherever values are kept or shown: by its name, and by its looks."""

from __future__ import annotations

import base64
import binascii
import re
from functools import lru_cache
from itertools import pairwise

from cutover.redact import MIN_SECRET_LENGTH

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

# Members and headers of answers. Their values are looked at more closely than a parameter's: they are what is compared.
_SECRET_WORDS = frozenset({
    "apikey", "authorisation", "authorization", "cookie", "credential", "csrf", "jwt", "otp", "passcode", "passphrase",
    "passwd", "password", "pwd", "secret", "token", "totp", "xsrf",
})  # fmt: skip
_SECRET_STEMS = ("accesskey", "apikey", "passphrase", "password", "privatekey", "secretkey", "sessionid", "sessionkey")
_DESCRIBING = frozenset({
    "age", "algorithm", "allowed", "at", "changed", "count", "created", "date", "enabled", "endpoint", "expires",
    "expiry", "expired", "format", "in", "kind", "length", "lifetime", "limit", "max", "min", "policy", "required",
    "scheme", "status", "ttl", "type", "updated", "used", "valid", "validity",
})  # fmt: skip
_CREDENTIAL_LIKE = frozenset({
    "access", "assertion", "auth", "bearer", "hmac", "key", "nonce", "pass", "refresh", "session", "sid", "sig",
    "signature", "sso", "ticket", "verifier",
})  # fmt: skip
_NAMES_OF_IDS = frozenset({
    "checksum", "commit", "cursor", "digest", "etag", "fingerprint", "hash", "id", "ids", "md5", "oid", "revision",
    "sha1", "sha256", "sha512", "uid", "uids", "uuid",
})  # fmt: skip

# Where a token is a part of a path, the words before it say what it is for.
_TOKEN_PATHS = frozenset({
    "activate", "activation", "auth", "confirm", "confirmation", "invitation", "invitations", "invite", "invites",
    "login", "magic", "password", "recover", "recovery", "reset", "reset-password", "password-reset", "session",
    "sessions", "sso", "token", "tokens", "unsubscribe", "verification", "verify", "verify-email",
})  # fmt: skip
_NEAR = 2
_MIN_MIXED_CHARS = 8
_UUID = re.compile(r"[{]?[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}[}]?")
_MOSTLY_DIGITS = re.compile(r"[0-9.:,TZ+_-]+")

MIN_TOKEN_CHARS = 20
_MIN_CREDENTIAL_CHARS = 12
_MIN_PIN_DIGITS, _MAX_PIN_DIGITS = 4, 12
_MIN_PIECE_CHARS = 12
_MIN_HEX_TOKEN_CHARS = 40
# Words are longer than what a random mixture of letters and digits takes for one.
_MAX_MEAN_RUN = 3.0
_KEPT_NAMES = 4096

PART = re.compile(r"[.\[\]]+")
_SEPARATOR = re.compile(r"[^a-z0-9]+")
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")
_TOKEN = re.compile(rf"[A-Za-z0-9_.~+/=-]{{{MIN_TOKEN_CHARS},4096}}")
_PIECES = re.compile(r"[^A-Za-z0-9]+")
_RUN = re.compile(r"[A-Z]?[a-z]+|[A-Z]+|[0-9]+")
_HEX = re.compile(r"[0-9a-f]+|[0-9A-F]+")
_PREFIXED = re.compile(
    r"(?:gh[opsur]_|github_pat_|glpat-|xox[abprs]-|[sr]k_(?:live|test)_|sk-|AKIA|ASIA|ya29\.|AIza)[\w-]{12,}"
)
_STEPS = re.compile(r"""\.([^.\[\]"*]+)|\["((?:[^"\\]|\\.)*)"\]""")
JWT = re.compile(r"eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}(?:\.[A-Za-z0-9_.-]*)?")


@lru_cache(_KEPT_NAMES)
def judged(name: str) -> tuple[bool, bool]:
    """Whether a parameter of this name is a secret, and whether a longer value of it may be one."""
    parts = [_SEPARATOR.sub("", part) for part in PART.split(name.lower())]
    names = {"".join(parts), next((part for part in reversed(parts) if part), "")}
    if names & _PAGE_TOKENS:
        return False, False
    secret = any(one in _SECRET_NAMES for one in names) or any(
        one.endswith(_SECRET_ENDINGS) and one not in _PAGE_TOKENS for one in (*names, *parts)
    )
    return secret, not names.isdisjoint(_AMBIGUOUS)


def is_secret_name(name: str, value: str) -> bool:
    """Whether a parameter's name says that its value is a secret."""
    secret, ambiguous = judged(name)
    return secret or (ambiguous and len(value) >= MIN_SECRET_LENGTH)


@lru_cache(_KEPT_NAMES)
def _words(name: str) -> tuple[str, ...]:
    return tuple(word.lower() for word in _WORD.findall(name))


@lru_cache(_KEPT_NAMES)
def is_secret_member(name: str) -> bool:
    """Whether all below a member, or in a header, of this name is secret: ``accessToken``, ``X-Api-Key``."""
    words = _words(name)
    whole = "".join(words)
    if not words or words[-1] in _DESCRIBING or whole in _PAGE_TOKENS:
        return False
    singular = [word.removesuffix("s") for word in words]
    if not _SECRET_WORDS.isdisjoint(words) or not _SECRET_WORDS.isdisjoint(singular):
        return True
    return any(stem in whole for stem in _SECRET_STEMS) or whole.removesuffix("s").endswith(("token", "secret"))


def holds_secret(name: str, value: object) -> bool:
    """Whether a value of an answer may be one, by the name of its member or header or by its looks.

    That there is none, that there is an empty one, and flags are told; so are counts: ``max_tokens: 500``.
    """
    if value is None or value == "" or isinstance(value, bool):
        return False
    number = not isinstance(value, str | list | dict)
    if is_secret_member(name):
        return not (number and _words(name)[-1].endswith("s"))
    last = _words(name)[-1:]
    if last == ("pin",) and isinstance(value, str | int):
        digits = str(value)
        return digits.isdecimal() and _MIN_PIN_DIGITS <= len(digits) <= _MAX_PIN_DIGITS
    if not isinstance(value, str):
        return False
    if last and last[0] in _CREDENTIAL_LIKE and _credential_like(value):
        return True
    return looks_secret(value, named_id=names_id(name))


def names_of(path: str) -> list[str]:
    """The members that a path leads through."""
    return [plain or quoted for plain, quoted in _STEPS.findall(path)]


def names_id(name: str) -> bool:
    names = names_of(name) if name.startswith("$") else [name]
    words = _words(names[-1]) if names else ()
    return bool(words) and words[-1] in _NAMES_OF_IDS


def looks_secret(value: str, *, named_id: bool = False) -> bool:
    """Whether the whole of a value is a JSON Web Token, or a long mixture of letters and digits that is no id's."""
    if "eyJ" in value and JWT.fullmatch(value):
        return True
    if named_id or value.startswith("/") or not _TOKEN.fullmatch(value):
        return False
    if _HEX.fullmatch(value):
        return len(value) >= _MIN_HEX_TOKEN_CHARS and not value.isdecimal()
    return bool(_PREFIXED.fullmatch(value)) or (is_mixed(value) and not _is_base64_text(value))


def is_mixed(value: str) -> bool:
    """Whether there is a piece of small and capital letters and digits as chance mixes them; a slug has none."""
    piece = max(_PIECES.split(value), key=len)
    if len(piece) < _MIN_PIECE_CHARS or _HEX.fullmatch(piece):
        return False
    kinds = (str.isdigit, str.islower, str.isupper)
    return all(any(map(kind, piece)) for kind in kinds) and len(piece) / len(_RUN.findall(piece)) < _MAX_MEAN_RUN


def _is_base64_text(value: str) -> bool:
    """Ids such as those of GraphQL are base64 of a readable text."""
    padded = value.rstrip("=") + "=" * (-len(value.rstrip("=")) % 4)
    try:
        text = base64.b64decode(padded, altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        return False
    return text.isascii() and text.decode("ascii").isprintable()


def _credential_like(value: str) -> bool:
    return (
        len(value) >= _MIN_CREDENTIAL_CHARS
        and not any(map(str.isspace, value))
        and any(map(str.isdigit, value))
        and any(map(str.isalpha, value))
        and "://" not in value
    )


def is_token_segment(segment: str, before: list[str]) -> bool:
    """Whether a decoded part of a path is a token. ``before`` are the parts that it follows.

    UUIDs, hex ids, DICOM UIDs, dates and slugs are none, but for hex after words such as ``reset``.
    """
    if len(segment) < MIN_TOKEN_CHARS or _UUID.fullmatch(segment) or _MOSTLY_DIGITS.fullmatch(segment):
        return False
    if "eyJ" in segment and JWT.search(segment):
        return True
    if _PREFIXED.fullmatch(segment):
        return True
    told = any(word.lower() in _TOKEN_PATHS for word in before[-_NEAR:]) or any(
        word.endswith(("token", "secret")) for word in _words(segment)
    )
    if told and any(_has_both(piece) for piece in _PIECES.split(segment)):
        return True
    return is_mixed(segment) and not _is_base64_text(segment)


def _has_both(piece: str) -> bool:
    """Letters and digits, changing more than once: not ``title2024``."""
    changes = sum(one.isdigit() != other.isdigit() for one, other in pairwise(piece))
    return len(piece) >= _MIN_MIXED_CHARS and changes > 1
