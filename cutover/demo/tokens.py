"""Bearer tokens signed with HMAC: each backend accepts what the other has issued, as both know the key."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import time
from datetime import UTC, datetime

SECRET_ENV = "CUTOVER_DEMO_SECRET"  # noqa: S105 - the name of a variable
DAY_S = 86_400


def expiry() -> int:
    """The midnight after next: the same for every login of a day, so that both backends answer alike."""
    return (int(time.time()) // DAY_S + 2) * DAY_S


def issue(user: str, secret: str) -> str:
    claims = json.dumps({"sub": user, "exp": expiry()}).encode()
    return f"{_encode(claims)}.{_encode(_sign(claims, secret))}"


def user_of(token: str, secret: str) -> str | None:
    """Whose token it is, or None where it was not signed with this key or has expired."""
    try:
        claims, signature = (base64.urlsafe_b64decode(part + "==") for part in token.split(".", 1))
    except (binascii.Error, ValueError):
        return None
    if not hmac.compare_digest(signature, _sign(claims, secret)):
        return None
    content = json.loads(claims)
    return str(content["sub"]) if content["exp"] > time.time() else None


def user_of_header(authorization: str | None, secret: str) -> str | None:
    """The user named by ``Authorization: Bearer TOKEN``, or None."""
    scheme, _, token = (authorization or "").partition(" ")
    return user_of(token, secret) if scheme.lower() == "bearer" else None


def expires_at() -> str:
    return datetime.fromtimestamp(expiry(), UTC).strftime("%Y-%m-%dT%H:%M:%S")


def _sign(claims: bytes, secret: str) -> bytes:
    return hmac.digest(secret.encode(), claims, hashlib.sha256)


def _encode(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
