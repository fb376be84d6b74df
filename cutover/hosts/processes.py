"""Processes of this machine, as /proc tells them."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from cutover.errors import ProxyError
from cutover.hosts.base import Workers
from cutover.hosts.nginx_conf import worker_state

PROC = Path("/proc")
# In /proc/PID/stat, after the name: when the process started, in ticks since the machine did.
_START_FIELD = 19
_SEARCH_OTHER, _SEARCH_GROUP, _SEARCH_OWNER = 0o001, 0o010, 0o100


async def run(command: list[str], timeout_s: float) -> tuple[int, str]:
    """Run a program to its end; its exit code and everything it said. No descriptor of ours is inherited."""
    try:
        process = await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
    except OSError as error:
        raise ProxyError(f"{command[0]} can't be run: {error.strerror}") from error
    try:
        async with asyncio.timeout(timeout_s):
            output, _ = await process.communicate()
    except TimeoutError:
        raise ProxyError(f"{' '.join(command)} did not end within {timeout_s:g} s") from None
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return process.returncode or 0, output.decode(errors="replace")


def title(pid: int) -> str:
    """The title of a process; empty for one that is gone."""
    try:
        return (PROC / str(pid) / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
    except OSError:
        return ""


def is_nginx_master(pid: int) -> bool:
    return title(pid).startswith("nginx: master process")


def nginx_master_of(folder: Path) -> int | None:
    """The master process that was started with ``-p folder -c ...``; how a long title ends, nginx leaves out."""
    for pid in _all_pids():
        named = title(pid)
        if named.startswith("nginx: master process") and f" -p {folder} -c " in named:
            return pid
    return None


def nginx_workers(master: int) -> Workers:
    """The workers of a master by what their titles say."""
    states: dict[str, set[int]] = {"active": set(), "draining": set()}
    for pid in children(master):
        if state := worker_state(title(pid)):
            states[state].add(pid)
    return Workers(frozenset(states["active"]), frozenset(states["draining"]))


def children(parent: int) -> list[int]:
    """The process ids of a process's children."""
    try:
        return [int(pid) for pid in (PROC / str(parent) / "task" / str(parent) / "children").read_text().split()]
    except FileNotFoundError:
        return [pid for pid in _all_pids() if _parent(pid) == parent]


def age_s(pid: int) -> float:
    """How long a process has been there, in seconds; endless for one that is gone."""
    try:
        ticks = int((PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()[_START_FIELD])
    except OSError:
        return float("inf")
    return float((PROC / "uptime").read_text().split()[0]) - ticks / os.sysconf("SC_CLK_TCK")


def unreachable_folder(pid: int, folder: Path) -> Path | None:
    """The first folder on the way to ``folder``, itself included, that the user of a process may not search."""
    try:
        status = dict(
            line.split(":\t", 1) for line in (PROC / str(pid) / "status").read_text().splitlines() if ":\t" in line
        )
    except OSError:
        return None
    uid = int(status["Uid"].split()[1])
    groups = {int(status["Gid"].split()[1]), *map(int, status["Groups"].split())}
    if uid == 0:
        return None
    folder = folder.resolve()
    for step in [*reversed(folder.parents), folder]:
        known = step.stat()
        needed = _SEARCH_OTHER
        if known.st_uid == uid:
            needed = _SEARCH_OWNER
        elif known.st_gid in groups:
            needed = _SEARCH_GROUP
        if not known.st_mode & needed:
            return step
    return None


def listener(port: int) -> str | None:
    """Who listens on a TCP port, as far as this user may know: ``nginx (process 12)``."""
    inodes = {
        fields[9]
        for table in ("tcp", "tcp6")
        for line in _lines(PROC / "net" / table)[1:]
        if (fields := line.split())[3] == "0A" and int(fields[1].rpartition(":")[2], 16) == port
    }
    for pid in _all_pids() if inodes else ():
        if {f"socket:[{inode}]" for inode in inodes} & _held(pid):
            return f"{title(pid).split(' ')[0].rstrip(':') or 'a process'} (process {pid})"
    return None


def connections(pids: Iterable[int]) -> int:
    """How many established TCP connections these processes hold, as far as this user may know."""
    established = {
        f"socket:[{fields[9]}]"
        for table in ("tcp", "tcp6")
        for line in _lines(PROC / "net" / table)[1:]
        if (fields := line.split())[3] == "01"
    }
    return sum(len(established & _held(pid)) for pid in pids)


def _held(pid: int) -> set[str]:
    """What the descriptors of a process are, as far as we may look."""
    held = set()
    try:
        for descriptor in (PROC / str(pid) / "fd").iterdir():
            with suppress(FileNotFoundError):
                held.add(os.readlink(descriptor))  # noqa: PTH115 - "socket:[1]" is no path
    except OSError:
        return held
    return held


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text().splitlines()
    except OSError:
        return []


def _all_pids() -> list[int]:
    return [int(entry.name) for entry in PROC.iterdir() if entry.name.isdigit()]


def _parent(pid: int) -> int:
    try:
        return int((PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()[1])
    except OSError:
        return 0
