"""Rules for requests that clients sent once: which of them may be asked again, and what they lose before."""

from __future__ import annotations

from functools import lru_cache

from cutover.parity.endpoints import EndpointOf
from cutover.parity.sources.choice import Candidate, Choice
from cutover.parity.sources.credentials import without_secrets
from cutover.parity.sources.drawn import Drawn, LeavingOut
from cutover.plan.request import SAFE_METHODS
from cutover.redact import MASK

MAX_TARGET_CHARS = 8 * 1024
_SWITCHED, _CLIENT_ERROR, _SERVER_ERROR = 101, 400, 500

WRITES = "neither GET nor HEAD: list it, with unsafe: true, if it is to be compared"
UPGRADED = "upgraded connections"
FAILED = "answered with 5xx when it was recorded"
STATIC = "scripts, styles and fonts"
UNSAFE_PATH = "holds a token in its path"
TOO_LONG = f"longer than {MAX_TARGET_CHARS // 1024} kB"

_STATIC_ENDS = (".js", ".mjs", ".css", ".map", ".woff", ".woff2", ".ttf", ".otf", ".eot", "/favicon.ico")
_REMEMBERED_PATHS = 8192


class Recorded:
    """Takes requests one by one, and chooses at the end. ``endpoint_of`` tells which ask for the same thing.

    ``open_to_all``: scanners asked, too, so that an endpoint which never succeeded is none.
    """

    def __init__(self, endpoint_of: EndpointOf, *, open_to_all: bool) -> None:
        self.leaving_out = LeavingOut()
        self._open_to_all = open_to_all
        self._choice = Choice(self.leaving_out)
        self._endpoint_of = lru_cache(_REMEMBERED_PATHS)(endpoint_of)

    def add(
        self, method: str, target: str, status: int, headers: tuple[tuple[str, str], ...] = (), count: int = 1
    ) -> None:
        """``status`` is what the client got; 0 where nobody wrote it down. ``count`` clients did."""
        path, taken = without_secrets(target[: MAX_TARGET_CHARS + 1])
        plain = path.partition("?")[0]
        reason = _reason(method, target, plain, status)
        if reason:
            self.leaving_out.add(reason, f"{method} {plain}", count)
            return
        for parameter in taken:
            self.leaving_out.add(f"asked without its {parameter.lower()} parameter", f"{method} {plain}", count)
        succeeded = status < _CLIENT_ERROR or not self._open_to_all
        candidate = Candidate(method, path, headers)
        self._choice.add(self._endpoint_of(method, plain), candidate, succeeded=succeeded, count=count)

    def drawn(self, limit: int | None) -> Drawn:
        return Drawn(self._choice.chosen(limit), self.leaving_out.told())


def _reason(method: str, target: str, plain: str, status: int) -> str:
    """Why a request is not asked again; empty if it is."""
    if method not in SAFE_METHODS:
        return WRITES
    if len(target) > MAX_TARGET_CHARS:
        return TOO_LONG
    if status == _SWITCHED:
        return UPGRADED
    if status >= _SERVER_ERROR:
        return FAILED
    if MASK in plain and MASK not in target:
        return UNSAFE_PATH
    return STATIC if plain.lower().endswith(_STATIC_ENDS) else ""
