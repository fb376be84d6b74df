"""Who is let in: what a client has to send, whatever the documents call it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from cutover.openapi.document import Document
from cutover.openapi.operations import Operation

_BEARER = "a bearer token"
_BASIC = "user and password (basic)"
_SOME_AUTHORIZATION = "a header Authorization"
_IN_AUTHORIZATION = frozenset({_BEARER, _BASIC, _SOME_AUTHORIZATION})


@dataclass(frozen=True)
class Way:
    """One way in: what is sent, all of it, and the scopes that are needed."""

    sent: frozenset[str]
    scopes: frozenset[str] = frozenset()

    def __str__(self) -> str:
        return " and ".join(sorted(self.sent)) or "nothing"


def ways_in(document: Document, operation: Operation) -> list[Way]:
    """One of these is enough."""
    schemes = document.resolve(document.resolve(document.data.get("components")).get("securitySchemes"))
    return [
        Way(
            frozenset(_sent(name, document.resolve(schemes.get(name))) for name in alternative),
            frozenset(scope for scopes in alternative.values() for scope in scopes),
        )
        for alternative in operation.security
    ] or [Way(frozenset())]


def security_changes(old: list[Way], new: list[Way]) -> Iterator[tuple[str, str]]:
    """Ids and messages: each way of old's must still be one."""
    taken = ", or ".join(map(str, new))
    for way in old:
        enough = [other for other in new if other.sent <= way.sent]
        if not enough:
            yield _lost(way, new, taken)
        elif not any(other.scopes <= way.scopes for other in enough):
            missing = min((sorted(other.scopes - way.scopes) for other in enough), key=len)
            yield "security-scope-added", f"needs {', '.join(missing)} of {way} now"
    if any(not way.sent for way in new) and all(way.sent for way in old):
        yield "security-removed", "lets everybody in"


def _lost(way: Way, new: list[Way], taken: str) -> tuple[str, str]:
    if not way.sent:
        return "security-added", f"lets nobody in without {taken} any more"
    if any(_alike(way, other) for other in new):
        return "security-unclear", f"took {way}, takes {taken}: whether in the same form is not said"
    return "security-changed", f"no longer takes {way}, but {taken}"


def _alike(way: Way, other: Way) -> bool:
    """Both put something into Authorization, and one does not say what."""
    both = [{_SOME_AUTHORIZATION if what in _IN_AUTHORIZATION else what for what in side.sent} for side in (way, other)]
    return both[1] <= both[0] and _SOME_AUTHORIZATION in way.sent | other.sent


def _sent(name: str, scheme: dict[str, object]) -> str:
    """What a scheme makes a client send; one that is not described, by its name."""
    kind = scheme.get("type")
    if kind in {"oauth2", "openIdConnect"}:
        return _BEARER
    if kind == "http":
        way = str(scheme.get("scheme")).lower()
        return {"bearer": _BEARER, "basic": _BASIC}.get(way, f"{way} authentication")
    if kind == "apiKey":
        where, key = str(scheme.get("in")), str(scheme.get("name"))
        if where == "header":
            return _SOME_AUTHORIZATION if key.lower() == "authorization" else f"a header {key.title()}"
        return f"a {where} {key}"
    return "a client certificate" if kind == "mutualTLS" else name
