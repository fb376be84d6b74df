"""Work that is seen through to its end although who asked for it is cancelled meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


async def finish(work: Coroutine[Any, Any, T] | asyncio.Task[T]) -> T:
    """See it through, and only then be cancelled, if we were meanwhile."""
    task = work if isinstance(work, asyncio.Task) else asyncio.create_task(work)
    cancelled = await _ended(task)
    result = task.result()
    if cancelled:
        raise asyncio.CancelledError
    return result


async def see_through(work: Coroutine[Any, Any, T] | asyncio.Task[T]) -> T:
    """As ``finish``, for one who is being cancelled already and will say so."""
    task = work if isinstance(work, asyncio.Task) else asyncio.create_task(work)
    await _ended(task)
    return task.result()


async def _ended(task: asyncio.Task[Any]) -> bool:
    """Whether we were cancelled while it went to its end: its waits have limits of their own."""
    cancelled = False
    while not task.done():
        try:
            await asyncio.wait({task})
        except asyncio.CancelledError:
            cancelled = True
    return cancelled
