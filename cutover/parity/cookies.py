"""Set-Cookie: what a browser does with a cookie must be the same; its value is the side's own."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from cutover.parity.findings import ABSENT, Findings, Kind

_MAX_AGE = re.compile(r"-?[0-9]+")


@dataclass(frozen=True, slots=True)
class Cookie:
    """What is compared. ``deletes`` is told from Max-Age and Expires."""

    name: str
    path: str
    domain: str
    http_only: bool
    secure: bool
    same_site: str
    deletes: bool

    def __str__(self) -> str:
        words = [f"{self.name}=..."]
        words += [f"Path={self.path}"] if self.path else []
        words += [f"Domain={self.domain}"] if self.domain else []
        words += ["HttpOnly"] if self.http_only else []
        words += ["Secure"] if self.secure else []
        words += [f"SameSite={self.same_site}"] if self.same_site else []
        words += ["(deletes it)"] if self.deletes else []
        return "; ".join(words)


def parse_cookie(header: str) -> Cookie:
    pair, *attributes = header.split(";")
    name = pair.partition("=")[0]
    known = {k.strip().lower(): v.strip() for k, _, v in (a.partition("=") for a in attributes)}
    return Cookie(
        name=name.strip(),
        path=known.get("path", ""),
        domain=known.get("domain", "").lstrip(".").lower(),
        http_only="httponly" in known,
        secure="secure" in known,
        same_site=known.get("samesite", "").lower(),
        deletes=_deletes(known),
    )


def _deletes(attributes: dict[str, str]) -> bool:
    """Max-Age goes before Expires; what can't be read of either is as if it were not there (RFC 6265, 5.2)."""
    max_age = attributes.get("max-age", "")
    if _MAX_AGE.fullmatch(max_age):
        return max_age.startswith("-") or not max_age.strip("0")
    try:
        expires = parsedate_to_datetime(attributes.get("expires", ""))
    except (ValueError, OverflowError):
        return False
    return expires.replace(tzinfo=expires.tzinfo or UTC) <= datetime.now(UTC)


def compare_cookies(old: list[str], new: list[str], findings: Findings) -> None:
    """Cookies are paired by name; those of one name, in order."""
    ours, theirs = [parse_cookie(h) for h in old], [parse_cookie(h) for h in new]
    left_old, left_new = Counter(ours) - Counter(theirs), Counter(theirs) - Counter(ours)
    for name in sorted({c.name for c in (*left_old, *left_new)}):
        before = [c for c in left_old.elements() if c.name == name]
        after = [c for c in left_new.elements() if c.name == name]
        for place in range(max(len(before), len(after))):
            mine = before[place] if place < len(before) else None
            other = after[place] if place < len(after) else None
            findings.add(
                Kind.HEADER, f"Set-Cookie: {name}", str(mine) if mine else ABSENT, str(other) if other else ABSENT,
                message=_message(mine, other), cure="ignore_headers: [Set-Cookie]",
            )  # fmt: skip


def _message(old: Cookie | None, new: Cookie | None) -> str:
    if old is None or new is None:
        return "set by one side only"
    fields = ("path", "domain", "http_only", "secure", "same_site", "deletes")
    return ", ".join(name for name in fields if getattr(old, name) != getattr(new, name)) + " differs"
