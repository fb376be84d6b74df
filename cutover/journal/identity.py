"""Which process this is, and whether another one still lives. Linux: ``/proc``."""

from __future__ import annotations

import os
import pwd
from contextlib import suppress
from functools import cache
from pathlib import Path

_STATE, _START = 0, 19  # fields 3 and 22 of proc(5) stat, counted behind the name


@cache
def machine() -> str:
    """Where a pid means one process: this boot, this host name, this pid namespace."""
    boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    return f"{boot}/{host()}/{Path('/proc/self/ns/pid').readlink()}"


def start_of(pid: int) -> float | None:
    """When a process started, in seconds since the machine did; None for one that is gone or a zombie.

    Raises ``PermissionError`` where the system hides it (``hidepid``).
    """
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        _raise_if_hidden(pid)
        return None
    fields = stat.rpartition(")")[2].split()
    if fields[_STATE] in "ZX":
        return None
    return int(fields[_START]) / os.sysconf("SC_CLK_TCK")


def _raise_if_hidden(pid: int) -> None:
    """A signal is refused, not lost, where the process of another user is there but hidden."""
    with suppress(ProcessLookupError):
        os.kill(pid, 0)


def host() -> str:
    return os.uname().nodename or "an unnamed host"


def user() -> str:
    """The account, and who became it by sudo."""
    try:
        name = pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        name = f"uid {os.geteuid()}"
    caller = os.environ.get("SUDO_USER")
    return f"{caller} as {name}" if caller and caller != name else name


def folder() -> str:
    try:
        return str(Path.cwd())
    except FileNotFoundError:
        return ""
