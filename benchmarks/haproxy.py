"""HAProxy with the same two backends, for comparison."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.machine import program
from benchmarks.stage import LIMIT_S, Backends, free_port, serving


class Runtime:
    """HAProxy, its weights set through its admin socket."""

    def __init__(self, port: int, admin: Path) -> None:
        self.port = port
        self.admin = admin

    async def flip(self, to_new: bool) -> None:  # noqa: FBT001 - a Switch
        weights = (0, 100) if to_new else (100, 0)
        command = f"set server api/old weight {weights[0]}; set server api/new weight {weights[1]}\n"
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(LIMIT_S)
            connection.connect(str(self.admin))
            connection.sendall(command.encode())
            while connection.recv(4096):
                pass


@contextmanager
def haproxy(folder: Path, pair: Backends) -> Iterator[Runtime | None]:
    """None where it is not installed."""
    binary = program("haproxy")
    if binary is None:
        yield None
        return
    made, conf = Runtime(free_port(), folder / "admin.sock"), folder / "haproxy.cfg"
    conf.write_text(
        f"global\n  stats socket {made.admin} mode 600 level admin\n"
        "defaults\n  mode http\n  timeout connect 5s\n  timeout client 15s\n  timeout server 15s\n"
        f"frontend edge\n  bind 127.0.0.1:{made.port}\n  default_backend api\n"
        f"backend api\n  server old 127.0.0.1:{pair.old} weight 100\n  server new 127.0.0.1:{pair.new} weight 0\n"
    )
    with serving([binary, "-f", str(conf), "-db"], made.port):
        yield made
