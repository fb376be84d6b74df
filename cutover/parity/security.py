"""Security headers: does new's value allow what old's forbade?"""

from __future__ import annotations

import re

SECURITY_HEADERS = frozenset({
    "strict-transport-security", "content-security-policy", "content-security-policy-report-only", "x-frame-options",
    "x-content-type-options", "referrer-policy", "permissions-policy", "cross-origin-opener-policy",
    "cross-origin-embedder-policy", "cross-origin-resource-policy", "x-xss-protection",
})  # fmt: skip

_FRAME_OPTIONS = ("sameorigin", "deny")
_REFERRER_POLICIES = (
    "unsafe-url", "no-referrer-when-downgrade", "origin", "origin-when-cross-origin", "strict-origin",
    "strict-origin-when-cross-origin", "same-origin", "no-referrer",
)  # fmt: skip
_OPENER_POLICIES = ("unsafe-none", "same-origin-allow-popups", "noopener-allow-popups", "same-origin")
_RESOURCE_POLICIES = ("cross-origin", "same-site", "same-origin")
Policy = frozenset[tuple[str, frozenset[str]]]
_RANKED: dict[str, tuple[str, ...]] = {
    "x-frame-options": _FRAME_OPTIONS,
    "referrer-policy": _REFERRER_POLICIES,
    "cross-origin-opener-policy": _OPENER_POLICIES,
    "cross-origin-resource-policy": _RESOURCE_POLICIES,
}


def weakened(name: str, old: list[str], new: list[str]) -> bool:
    """Values that can't be ranked count as weakened when they differ."""
    if name == "strict-transport-security":
        return _hsts_weakened(old[0], new[0])
    if name.startswith("content-security-policy"):
        return not _policies(old) <= _policies(new)
    ranked = _RANKED.get(name)
    ours, theirs = old[-1].strip().lower(), new[-1].strip().lower()
    if ranked is None or ours not in ranked or theirs not in ranked:
        return ours != theirs
    return ranked.index(theirs) < ranked.index(ours)


def _hsts_weakened(old: str, new: str) -> bool:
    return _max_age(new) < _max_age(old) or any(
        word in old.lower() and word not in new.lower() for word in ("includesubdomains", "preload")
    )


def _max_age(value: str) -> int:
    match = re.search(r"max-age\s*=\s*\"?(\d{1,12})", value, re.IGNORECASE)
    return int(match.group(1)) if match else 0


def _policies(values: list[str]) -> set[Policy]:
    """Each of them applies by itself: one more only forbids more."""
    return {_policy(policy) for value in values for policy in value.split(",") if policy.strip()}


def _policy(text: str) -> Policy:
    """Of a directive that stands twice, browsers take the first."""
    directives: dict[str, frozenset[str]] = {}
    for directive in text.split(";"):
        name, *sources = directive.split() or [""]
        if name:
            directives.setdefault(name.lower(), frozenset(sources))
    return frozenset(directives.items())
