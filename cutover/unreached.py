"""Why something could not be reached, in the same words everywhere."""

from __future__ import annotations

import os
import socket
import ssl


def why_unreached(error: BaseException) -> str:
    """Refused, DNS or TLS, and what the system says; ``error`` as a socket or a client library raised it."""
    cause = _cause(error)
    if isinstance(cause, ssl.SSLError):
        return f"TLS: {getattr(cause, 'verify_message', '') or cause.reason or cause}"
    if isinstance(cause, socket.gaierror):
        return f"the name does not resolve: {cause.strerror}"
    if isinstance(cause, OSError) and cause.errno:
        return os.strerror(cause.errno)
    return str(cause) or type(cause).__name__


def _cause(error: BaseException) -> BaseException:
    """What the system raised, below what a library made of it."""
    seen: BaseException | None = error
    while seen is not None:
        below = getattr(seen, "os_error", None)
        if isinstance(below, BaseException):
            return below
        if isinstance(seen, OSError):
            return seen
        seen = seen.__cause__
    return error
