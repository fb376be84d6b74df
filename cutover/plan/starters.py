"""The plans that come with cutover: ``plans/`` in a checkout, packaged into the wheel."""

from __future__ import annotations

from difflib import get_close_matches
from pathlib import Path

from cutover.errors import UsageError

_PACKAGED = Path(__file__).parent.parent / "_plans"
_CHECKOUT = Path(__file__).parent.parent.parent / "plans"


def folder() -> Path:
    return _PACKAGED if _PACKAGED.is_dir() else _CHECKOUT


def starters() -> dict[str, str]:
    """Names of the shipped plans, each with the first line of its comment."""
    return {path.stem: _title(path) for path in sorted(folder().glob("*.yml"))}


def starter(name: str) -> str:
    """The text of a shipped plan; raises ``UsageError`` with the known names."""
    known = starters()
    if name not in known:
        close = get_close_matches(name, known, n=1)
        hint = f"did you mean {close[0]!r}?" if close else f"known: {', '.join(known)}"
        raise UsageError(f"there is no starter plan {name!r}", hint)
    return (folder() / f"{name}.yml").read_text(encoding="utf-8")


def _title(path: Path) -> str:
    return path.read_text(encoding="utf-8").partition("\n")[0].removeprefix("#").strip()
