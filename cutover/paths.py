"""Where cutover keeps what it must not lose."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from cutover.files import make_private_folder


def state_home() -> Path:
    """``$XDG_STATE_HOME/cutover``, where a CI checkout's clean-up does not reach."""
    base = os.environ.get("XDG_STATE_HOME", "")
    root = Path(base) if base.startswith("/") else Path("~/.local/state").expanduser()
    return root / "cutover"


@dataclass(frozen=True)
class StateFolder:
    """The folder of one plan: mode 0700, files 0600."""

    path: Path

    @property
    def emergency(self) -> Path:
        """What a rollback needs when all else is lost: the proxy's settings and the configuration for weight 0."""
        return self.path / "emergency"

    @property
    def nginx(self) -> Path:
        """The managed nginx: configuration, pid file, logs."""
        return self.path / "nginx"

    @property
    def errors(self) -> Path:
        """Tracebacks of defects, redacted."""
        return self.path / "errors.log"

    def run(self, run: str) -> Path:
        return self.path / "runs" / run

    def make(self) -> None:
        """Create the folder, closed to others; raises ``CutoverError``."""
        make_private_folder(self.path, close=True)
