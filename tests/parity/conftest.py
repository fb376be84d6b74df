"""The ``diff`` check between two servers."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from cutover.checks.base import Result
from cutover.checks.diff import Diff
from tests.support.rawserver import Context, RawServer, Respond

Compare = Callable[..., Awaitable[Result]]


@pytest.fixture
def compare(tmp_path: Path) -> Compare:
    """Run ``diff`` between two raw servers, or URLs; keywords are the settings of the step."""

    async def run(
        old: bytes | Respond | RawServer | str, new: bytes | Respond | RawServer | str, **settings: Any
    ) -> Result:
        settings.setdefault("requests", ["GET /api/studies"])
        check = Diff.model_validate(settings)
        async with AsyncExitStack() as stack:
            urls = []
            for side in (old, new):
                if isinstance(side, str):
                    urls.append(side)
                    continue
                server = side if isinstance(side, RawServer) else RawServer(side)
                urls.append((await stack.enter_async_context(server.running())).url)
            return await check.run(Context(urls[0], urls[1], tmp_path))

    return run
