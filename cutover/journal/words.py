"""How the holder of a lock is named to people: message and hint of a ``LockedError``."""

from __future__ import annotations

import time

from cutover.journal.base import Holder


def who(holder: Holder) -> str:
    """As in ``anna, process 4711 on edge-1 (cutover run, in /srv/api), since 2026-01-31 12:00:00 UTC``."""
    since = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(holder.since))
    where = f", in {holder.folder}" if holder.folder else ""
    return f"{holder.user}, process {holder.pid} on {holder.host} ({holder.command}{where}), since {since}"


def locked(plan: str, holder: Holder) -> tuple[str, str]:
    return (
        f"the plan {plan} is locked by {who(holder)}",
        "wait for it, look with: cutover status; or take over with: cutover rollback, cutover abort",
    )


def taken_over(plan: str, last: Holder | None, epoch: int | None) -> tuple[str, str]:
    """Where ``last`` took the lock last, and ``epoch`` is that of the holder who lost it."""
    end = f"taken over by {who(last)}" if last else "lost with its store"
    if last and last.epoch == epoch:
        end = "released"
    return f"the lock of the plan {plan} was {end}", "this command changes nothing more; look with: cutover status"
