"""A backend behind a login: what it shows needs a token that it gave itself."""

from __future__ import annotations

import json
import secrets
import threading
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

PASSWORD = "open-sesame-42"


class Doors:
    """``POST /login`` with the password gives a token and a cookie; all but ``/health`` needs that token.

    ``/echo`` gives back what was sent. Every token ever given is in ``tokens``; ``lock`` ends those given so far.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.password = PASSWORD
        self.tokens: list[str] = []
        self.seen: Counter[str] = Counter()
        self.more: dict[str, object] = {}
        """What an answer to a login also holds."""
        self.unasked: list[str] = []
        """Authorization headers where none belongs."""
        self.valid: set[str] = set()
        handler = type("Handler", (_Handler,), {"doors": self})
        self._server = _Server(("127.0.0.1", 0), handler)
        self.port: int = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self._thread.start()

    def give(self) -> str:
        token = f"{self.name}+{secrets.token_urlsafe(12)}/{secrets.token_hex(4)}=="
        self.tokens.append(token)
        self.valid.add(token)
        return token

    def lock(self) -> None:
        self.valid.clear()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(timeout=5)


class _Handler(BaseHTTPRequestHandler):
    doors: Doors
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.doors.seen[self.path] += 1
        given = self.headers.get("Authorization", "")
        if self.path == "/health":
            self._say(200, {"status": "ok"})
        elif given.removeprefix("Bearer ") not in self.doors.valid:
            self._say(401, {"detail": "no such token", "given": given})
        elif self.path.startswith("/echo"):
            sent = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
            self._say(200, {"path": self.path, "heard": dict(self.headers.items()), "sent": sent})
        else:
            self._say(200, {"user": "demo", "level": 7, "path": self.path})

    def do_POST(self) -> None:
        if self.path != "/login":
            self.do_GET()
            return
        self.doors.seen[self.path] += 1
        if "Authorization" in self.headers:
            self.doors.unasked.append(self.headers["Authorization"])
        sent = json.loads(self.rfile.read(int(self.headers["Content-Length"])) or b"{}")
        if sent.get("password") != self.doors.password:
            self._say(401, {"detail": "wrong password"})
            return
        token = self.doors.give()
        self._say(200, {"access_token": token, "user": {"id": 7}, "refresh_token": f"again-{token}", **self.doors.more})

    def _say(self, status: int, body: dict[str, object]) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        pass


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request: object, client_address: object) -> None:
        pass
