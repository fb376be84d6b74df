"""While the proxy is being changed: a lock of the operating system, which a killed process leaves at once.

The plan's lock says who may work; a rollback can take it from a living holder. This one makes the taker wait until a
holder who is in the middle of a change is through with it.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from cutover.errors import CutoverError, LockedError
from cutover.files import file_trouble

EXCLUSIVE_TIMEOUT_S = 10.0
_RETRY_S = 0.02


@asynccontextmanager
async def exclusive(
    folder: Path, *, required: bool = True, timeout_s: float = EXCLUSIVE_TIMEOUT_S
) -> AsyncIterator[str | None]:
    """Be the only one who changes the proxy. What is locked is the folder itself, so nothing needs to be written.

    Gives None, or, where not ``required``, a sentence that says why others are not kept out. Where it is required,
    raises ``CutoverError`` for a folder that can't be opened and ``LockedError`` after ``timeout_s``.
    """
    trouble: CutoverError | None = None
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as error:
        trouble = file_trouble("lock", folder, error)
    if trouble is not None:
        if required:
            raise trouble
        yield f"{trouble.message}; nothing keeps another cutover from changing the proxy meanwhile"
        return
    try:
        locked = await _locked(descriptor, timeout_s)
        if not locked and required:
            raise LockedError(
                f"another cutover is in the middle of a change and has not finished it for {timeout_s:g}s",
                f"find it with: fuser -v {folder}",
            )
        yield None if locked else f"another cutover has been in the middle of a change for over {timeout_s:g}s"
    finally:
        os.close(descriptor)


async def _locked(descriptor: int, timeout_s: float) -> bool:
    give_up = time.monotonic() + timeout_s
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= give_up:
                return False
            await asyncio.sleep(_RETRY_S)
        else:
            return True
