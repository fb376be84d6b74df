"""One backend as a process: ``python -m cutover.demo.serve fastapi|django FD``, with FD a socket that listens.

It ends by SIGTERM, or when its standard input is closed: whoever started it is gone then, however that happened.
"""

from __future__ import annotations

import asyncio
import gc
import os
import socket
import sys
from concurrent.futures import ThreadPoolExecutor

import uvicorn

from cutover.demo.faults import App, Receive, Scope, Send, active_fault, broken_under_traffic
from cutover.demo.traffic import DEMO_HEADER, SERVED_BY_HEADER

# Longer than a proxy keeps idle connections, so that none is closed while a request is on its way.
KEEP_ALIVE_S = 90
SHUTDOWN_TIMEOUT_S = 1
# A tenth more requests a second: fewer collections of a large heap that stays, and a shorter wait for the other thread.
GC_THRESHOLD = 20_000
SWITCH_INTERVAL_S = 0.001


def load_app(kind: str) -> App:
    """The ASGI application of one side, broken where the environment says so."""
    if kind == "fastapi":
        from cutover.demo.fastapi_app import app  # noqa: PLC0415 - one process holds one of the two

        return app
    os.environ["DJANGO_SETTINGS_MODULE"] = "cutover.demo.django_settings"
    import django  # noqa: PLC0415 - likewise
    from django.core.handlers.asgi import ASGIHandler  # noqa: PLC0415 - likewise

    class OneThread(ASGIHandler):  # type: ignore[misc]  # Django has no types
        """Each request in one hop, on one thread with one database connection: Django's own way takes five hops."""

        def __init__(self) -> None:
            super().__init__()
            self.load_middleware(is_async=False)
            self.thread = ThreadPoolExecutor(1)

        async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
            request, refusal = self.create_request(scope, await self.read_body(receive))
            loop = asyncio.get_running_loop()
            response = refusal or await loop.run_in_executor(self.thread, self.get_response, request)
            await self.send_response(response, send)

    django.setup(set_prefix=False)
    import cutover.demo.django_app  # noqa: F401, PLC0415 - a defect in it shows now, not at the first request

    return broken_under_traffic(OneThread(), active_fault())


def tells_its_side(app: App, kind: str) -> App:
    """Say who answered, to those who ask."""
    asked, told = DEMO_HEADER.lower().encode(), (SERVED_BY_HEADER.lower().encode(), kind.encode())

    async def telling(scope: Scope, receive: Receive, send: Send) -> None:
        async def send_told(message: Scope) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], told]
            await send(message)

        asks = scope["type"] == "http" and any(name == asked for name, _ in scope["headers"])
        await app(scope, receive, send_told if asks else send)

    return telling


async def serve(kind: str, listener: socket.socket) -> None:
    config = uvicorn.Config(
        tells_its_side(load_app(kind), kind),
        lifespan="off",
        ws="none",
        access_log=False,
        log_level="warning",
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=SHUTDOWN_TIMEOUT_S,
    )
    server = uvicorn.Server(config)
    gc.freeze()
    gc.set_threshold(GC_THRESHOLD)
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    loop = asyncio.get_running_loop()

    def stop_at_end_of_input() -> None:
        if not os.read(sys.stdin.fileno(), 1):
            loop.remove_reader(sys.stdin)
            server.should_exit = True

    loop.add_reader(sys.stdin, stop_at_end_of_input)
    await server.serve(sockets=[listener])


if __name__ == "__main__":
    asyncio.run(serve(sys.argv[1], socket.socket(fileno=int(sys.argv[2]))))
