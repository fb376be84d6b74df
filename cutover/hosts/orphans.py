"""Workers of an nginx whose master alone was killed, as the OOM killer does it. They serve on, and hold the listening
sockets that they inherited: no reload reaches them, and no successor gets their port.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from cutover.errors import ProxyError
from cutover.hosts import processes

Ours = Callable[[int], bool]
"""Whether a process, of which nothing but its title is known, is a worker of the nginx that is meant."""

# The gentlest first. Whoever waits for the port are clients that nobody accepts: each is given what a worker needs that
# is well, and one that is not ends by the last.
_MAKE_WAY = ((signal.SIGQUIT, 2.0), (signal.SIGTERM, 1.0), (signal.SIGKILL, 2.0))
_LOGS = ("error.log", "access.log")
_POLL_S = 0.002


def found(ours: Ours) -> frozenset[int]:
    """All of one nginx's workers whose master is gone."""
    return frozenset(pid for pid in processes.all_pids() if is_one(pid, ours))


def is_one(pid: int, ours: Ours) -> bool:
    """Whether a process is an nginx worker of ours that no living master is the parent of."""
    if not processes.title(pid).startswith("nginx: worker process"):
        return False
    return not processes.is_nginx_master(processes.parent(pid)) and ours(pid)


def logging_to(folder: Path) -> Ours:
    """Workers that hold a log of this folder open: no other nginx does, whatever its processes are called.

    One that was rotated or removed is held on. In a container, which is a PID namespace of its own, the same path
    leads elsewhere; and what is another user's is not ours to end, unless we are root.
    """
    held_by_us = tuple(f"{os.path.realpath(folder)}/{log}" for log in _LOGS)

    def ours(pid: int) -> bool:
        owner = processes.owner(pid)
        return (
            owner is not None
            and os.geteuid() in {0, owner}
            and processes.same_pid_namespace(pid)
            and any(held.startswith(held_by_us) for held in processes.held(pid))
        )

    return ours


def led_by(master: int) -> Ours:
    """Workers in the process group that this master led. While one is in it, no other process gets its number."""
    return lambda pid: processes.group(pid) == master


def told(workers: Iterable[int]) -> str:
    """What stands, in words."""
    named = sorted(workers)
    return (
        f"nginx's master process is gone, but its worker{'s' * (len(named) > 1)} "
        f"(process {', '.join(map(str, named))}) still serve{'s' * (len(named) == 1)}: no reload is possible"
    )


def make_way(workers: frozenset[int], ours: Ours) -> None:
    """Have them stop listening, so that a successor can bind their addresses; raise ``ProxyError`` where one does not.

    They answer what they had begun, as at a reload, and beside their successor: to wait for that here would leave those
    who come meanwhile with nobody to accept them. So this returns as soon as the addresses are free.
    """
    # Asked once: of many connections it is a long list, and from here on clients are waiting.
    listened = processes.listening_sockets()

    def listening() -> frozenset[int]:
        return frozenset(pid for pid in workers if listened & processes.held(pid))

    _press(listening, _MAKE_WAY, ours)
    if left := listening():
        pids = " ".join(map(str, sorted(left)))
        raise ProxyError(f"{told(left)}, and they do not let go of their port", hint=f"kill -9 {pids}")


def end(workers: frozenset[int], ways: Iterable[tuple[signal.Signals, float]], ours: Ours) -> frozenset[int]:
    """End them, by these signals with the seconds that each is given; those that are left."""

    def living() -> frozenset[int]:
        return frozenset(pid for pid in workers if is_one(pid, ours))

    _press(living, ways, ours)
    return living()


def _press(concerned: Callable[[], frozenset[int]], ways: Iterable[tuple[signal.Signals, float]], ours: Ours) -> None:
    for number, patience_s in ways:
        for pid in concerned():
            _signal(pid, number, ours)
        deadline = time.monotonic() + patience_s
        while concerned() and time.monotonic() < deadline:
            time.sleep(_POLL_S)


def _signal(pid: int, number: signal.Signals, ours: Ours) -> None:
    """The handle is taken before the look: whatever gets the number afterwards, the signal meets what was looked at."""
    handle: int | None = None
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    except OSError:
        # Linux before 5.3, or a sandbox: the look is all that there is.
        pass
    try:
        if not is_one(pid, ours):
            return
        if handle is None:
            os.kill(pid, number)
        else:
            signal.pidfd_send_signal(handle, number)
    except ProcessLookupError:
        pass
    except PermissionError:
        raise ProxyError(
            f"no permission to signal nginx (process {pid})", hint=f"kill -{number.name[3:]} {pid}"
        ) from None
    finally:
        if handle is not None:
            os.close(handle)
