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
# In /proc/PID/stat, after the name; a process started so many ticks after the machine did.
_PARENT_FIELD, _GROUP_FIELD, _START_FIELD = 1, 2, 19
# States of a socket in /proc/net/tcp.
_ESTABLISHED, _LISTENS = "01", "0A"
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
    for pid in all_pids():
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


def children(of: int) -> list[int]:
    """The process ids of a process's children."""
    try:
        return [int(pid) for pid in (PROC / str(of) / "task" / str(of) / "children").read_text().split()]
    except FileNotFoundError:
        return [pid for pid in all_pids() if parent(pid) == of]


def age_s(pid: int) -> float:
    """How long a process has been there, in seconds; endless for one that is gone."""
    ticks = _stat(pid, _START_FIELD)
    if not ticks:
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
    sockets = listening_sockets(port)
    for pid in all_pids() if sockets else ():
        if sockets & held(pid):
            return f"{title(pid).split(' ')[0].rstrip(':') or 'a process'} (process {pid})"
    return None


def listening_sockets(port: int | None = None) -> frozenset[str]:
    """TCP sockets that listen, on any port or on one, as ``held`` names them."""
    return _sockets(_LISTENS, port)


def connections(pids: Iterable[int]) -> int:
    """How many established TCP connections these processes hold, as far as this user may know."""
    established = _sockets(_ESTABLISHED)
    return sum(len(established & held(pid)) for pid in pids)


def _sockets(state: str, port: int | None = None) -> frozenset[str]:
    return frozenset(
        f"socket:[{fields[9]}]"
        for table in ("tcp", "tcp6")
        for line in _lines(PROC / "net" / table)[1:]
        if (fields := line.split())[3] == state and port in {None, int(fields[1].rpartition(":")[2], 16)}
    )


def held(pid: int) -> set[str]:
    """What the descriptors of a process are, as far as we may look."""
    found = set()
    try:
        for descriptor in (PROC / str(pid) / "fd").iterdir():
            with suppress(FileNotFoundError):
                found.add(os.readlink(descriptor))  # noqa: PTH115 - "socket:[1]" is no path
    except OSError:
        return found
    return found


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text().splitlines()
    except OSError:
        return []


def all_pids() -> list[int]:
    return [int(entry.name) for entry in PROC.iterdir() if entry.name.isdigit()]


def parent(pid: int) -> int:
    """0 for a process that is gone."""
    return _stat(pid, _PARENT_FIELD)


def group(pid: int) -> int:
    """The process group; 0 for a process that is gone."""
    return _stat(pid, _GROUP_FIELD)


def owner(pid: int) -> int | None:
    """The user whose process it is; None for one that is gone."""
    try:
        return (PROC / str(pid)).stat().st_uid
    except OSError:
        return None


def same_pid_namespace(pid: int) -> bool:
    """Whether a process is in no other container than we are; false where that can't be told."""
    try:
        return (PROC / str(pid) / "ns" / "pid").readlink() == (PROC / "self" / "ns" / "pid").readlink()
    except OSError:
        return False


def _stat(pid: int, field: int) -> int:
    try:
        return int((PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()[field])
    except OSError:
        return 0
