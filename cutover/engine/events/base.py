"""What all events have in common."""

from __future__ import annotations

from typing import ClassVar


class Event:
    """Base of all events.

    ``exact`` names fields that are kept byte for byte, unredacted: configuration texts. What is ``passing`` is told to
    those who look on, and never journalled.
    """

    exact: ClassVar[frozenset[str]] = frozenset()
    passing: ClassVar[bool] = False
