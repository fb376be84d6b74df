"""What each side calls itself: its own origin in a link is no difference."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import urljoin, urlsplit

from cutover.parity.ids import Ids
from cutover.plan.prefixes import leads, moved

SideName = Literal["old", "new"]


@dataclass(frozen=True)
class Origins:
    """``own`` maps a side to the hosts (``host:port``) that are itself; ``rewrite_path`` is old's prefix to new's.

    ``scheme`` is how clients reach the service. ``ids`` are what each side called what it created.
    """

    old: frozenset[str] = frozenset()
    new: frozenset[str] = frozenset()
    rewrite_path: Mapping[str, str] = field(default_factory=dict)
    scheme: str = "http"
    ids: Ids = field(default_factory=Ids)

    def path_on_new(self, path: str) -> str:
        """A path as old knows it, as new knows it."""
        for old, new in self.rewrite_path.items():
            if leads(old, path):
                return moved(path, old, new)
        return path

    def is_own(self, url: str, side: SideName) -> bool:
        netloc = _netloc(url)
        return netloc is not None and (not netloc or netloc in (self.old if side == "old" else self.new))

    def neutral(self, url: str, side: SideName, base: str = "") -> str:
        """The URL without the side's own origin, resolved against the request's path, in old's paths."""
        if base and "://" not in url and not url.startswith("/"):
            url = urljoin(base, url)
        if not self.is_own(url, side):
            return url
        if side == "new" and self.ids:
            url = self.ids.url_as_old(url)
        parts = urlsplit(url)
        path = parts._replace(scheme="", netloc="").geturl() if parts.netloc else url
        return self._path_on_old(path or "/") if side == "new" else path or "/"

    def _path_on_old(self, path: str) -> str:
        for old, new in self.rewrite_path.items():
            if leads(new, path):
                return moved(path, new, old)
        return path


def _netloc(url: str) -> str | None:
    """``host:port``, empty for a path, ``None`` for what is no link."""
    try:
        parts = urlsplit(url)
        port = parts.port or {"http": 80, "https": 443}.get(parts.scheme)
    except ValueError:
        return None
    if not parts.netloc:
        return "" if url.startswith("/") else None
    return f"{(parts.hostname or '').lower()}:{port}"


def own_hosts(*urls: str) -> frozenset[str]:
    """The ``host:port`` of each URL, default ports included."""
    return frozenset(netloc for url in urls if (netloc := _netloc(url)))
