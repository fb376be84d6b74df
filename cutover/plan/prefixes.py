"""Prefixes of paths, and paths that go from one to another."""

from __future__ import annotations


def leads(prefix: str, path: str) -> bool:
    """Whether a path is the prefix, or lies below it: ``/api`` leads to ``/api/x``, not to ``/apiary``."""
    if not path.startswith(prefix):
        return False
    return prefix.endswith("/") or path[len(prefix) : len(prefix) + 1] in {"", "/", "?", "#"}


def moved(path: str, prefix: str, to: str) -> str:
    """One slash stands between the other prefix and what follows, whichever of the prefixes ends with one."""
    rest = path.removeprefix(prefix)
    if to.endswith("/"):
        return to + rest.removeprefix("/")
    return to + ("/" if prefix.endswith("/") and rest and rest[0] not in "?#" else "") + rest
