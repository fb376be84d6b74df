"""From a request of the plan to the bytes of it."""

from __future__ import annotations

import json
import string
from collections.abc import Mapping
from urllib.parse import quote, urlsplit

from cutover.load.order import Order, Prepared
from cutover.plan.request import Request

_AS_IT_IS = string.punctuation
_OURS = frozenset({"content-length", "transfer-encoding", "host"})


def prepare(request: Request, url: str, headers: Mapping[str, str], expected: tuple[int, ...] | None) -> Prepared:
    """``headers`` are all that the request shall carry, but for those that its framing needs."""
    parts = urlsplit(url)
    body = request.body.encode() if request.body is not None else b""
    sent = {name: value for name, value in headers.items() if name.lower() not in _OURS}
    if request.json_body is not None:
        body = json.dumps(request.json_body, ensure_ascii=False).encode()
        if not any(name.lower() == "content-type" for name in sent):
            sent["Content-Type"] = "application/json"
    if body or request.method not in ("GET", "HEAD", "OPTIONS"):
        sent["Content-Length"] = str(len(body))
    host = next((value for name, value in headers.items() if name.lower() == "host"), None)
    sent = {"Host": host or parts.netloc.rpartition("@")[2], **sent}
    target = quote(parts.path.rstrip("/") + request.path, safe=_AS_IT_IS)
    head = "".join(f"{name}: {value}\r\n" for name, value in sent.items())
    wire = f"{request.method} {target} HTTP/1.1\r\n{head}\r\n".encode("latin-1") + body
    return Prepared(str(request), wire.decode("latin-1"), head=request.method == "HEAD", expected=expected)


def order(
    url: str,
    requests: tuple[Prepared, ...],
    *,
    concurrency: int,
    seconds: float,
    count: int | None,
    warm_up: float,
    timeout: float,
    rate: float | None,
    k6: str | None,
) -> Order:
    parts = urlsplit(url)
    tls = parts.scheme == "https"
    return Order(
        host=parts.hostname or "",
        port=parts.port or (443 if tls else 80),
        tls=tls,
        requests=requests,
        concurrency=concurrency,
        seconds=seconds,
        count=count,
        warm_up=warm_up,
        timeout=timeout,
        rate=rate,
        k6=k6,
    )
