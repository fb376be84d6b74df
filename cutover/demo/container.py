"""The demo's nginx in a container of its own."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from cutover.hosts.docker_engine import connect
from cutover.hosts.docker_image import build_image
from cutover.hosts.managed import default_binary


@asynccontextmanager
async def container() -> AsyncIterator[str]:
    """The name of a container that runs nginx on this host's network; gone afterwards."""
    client = await asyncio.to_thread(connect)
    name = f"cutover-demo-{secrets.token_hex(4)}"
    try:
        image = await asyncio.to_thread(build_image, client, Path(default_binary()))
        made = await asyncio.to_thread(
            client.containers.run, image, name=name, detach=True, network_mode="host", auto_remove=False
        )
        try:
            yield name
        finally:
            await asyncio.to_thread(made.remove, force=True)
    finally:
        client.close()
