"""Commands as forks of a process that has imported everything already: see ``zygote``."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

ZYGOTE = Path(__file__).with_name("zygote.py")
ROOT = Path(__file__).parents[2]


class Forks:
    """One command at a time."""

    def __init__(self) -> None:
        self._zygote = subprocess.Popen(
            [sys.executable, str(ZYGOTE)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT
        )

    def run(
        self, args: Sequence[str], cwd: Path, env: Mapping[str, str], kill: tuple[str, int] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """What came of it; the exit code is negative for a signal."""
        order = {"args": list(args), "cwd": str(cwd), "env": dict(env), "kill": kill}
        assert self._zygote.stdin is not None
        assert self._zygote.stdout is not None
        self._zygote.stdin.write(json.dumps(order) + "\n")
        self._zygote.stdin.flush()
        answer = json.loads(self._zygote.stdout.readline())
        return subprocess.CompletedProcess(list(args), answer["code"], answer["out"], answer["err"])

    def stop(self) -> None:
        self._zygote.communicate(timeout=10)
