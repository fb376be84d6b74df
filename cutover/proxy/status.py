"""Asks the proxy which weight and revision its workers run: a fresh connection each time, and nothing heavy."""

from __future__ import annotations

import asyncio
import re
import ssl
from urllib.parse import urlsplit

from cutover.proxy.base import Live
from cutover.proxy.spec import ProxySpec

ASK_TIMEOUT_S = 2.0
ANSWER_BYTES_MAX = 64 * 1024
PROBE_HEADER = "X-Cutover-Probe"
_STATUS_LINE = re.compile(rb"HTTP/1\.[01] (\d{3})")
_REVISION = re.compile(rb"(?im)^x-cutover-revision:\s*([0-9a-f]{16})\s*$")
_LEASE = re.compile(rb"(?im)^x-cutover-lease:\s*(held|ended)\s*$")
_CLOCK = re.compile(rb"(?im)^x-cutover-time:\s*(\d+\.\d+)\s*$")
_OK = 200
# What a load balancer says of a proxy behind it that is gone.
_OF_A_GATEWAY = frozenset({502, 503, 504})


async def ask(spec: ProxySpec) -> Live:
    """What one worker answers; ``reason`` says why where none does."""
    try:
        # Not wait_for, which before Python 3.12 may swallow a cancellation.
        async with asyncio.timeout(ASK_TIMEOUT_S):
            answer = await _exchange(spec)
    except TimeoutError:
        return Live(None, None, f"{spec.status_url} does not answer within {ASK_TIMEOUT_S:g} s", away=True)
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or error
        return Live(None, None, f"{spec.status_url} does not answer: {why}", away=True)
    return _read(spec, answer)


async def _exchange(spec: ProxySpec) -> bytes:
    parts = urlsplit(spec.status_url)
    tls = _any_certificate() if parts.scheme == "https" else None
    port = parts.port or (443 if tls else 80)
    server = spec.proxy.server
    host = parts.netloc
    if spec.proxy.status is None and server and server.server_name and not server.server_name.startswith("*"):
        host = server.server_name
    reader, writer = await asyncio.open_connection(
        parts.hostname, port, ssl=tls, server_hostname=host.rpartition(":")[0] or host if tls else None
    )
    try:
        request = (
            f"GET {spec.status_path} HTTP/1.1\r\nHost: {host}\r\n{PROBE_HEADER}: status\r\nConnection: close\r\n\r\n"
        )
        writer.write(request.encode())
        return await _to_its_end(reader)
    finally:
        writer.close()


async def _to_its_end(reader: asyncio.StreamReader) -> bytes:
    """Head and body may come apart; the connection is closed after them."""
    answer = b""
    while len(answer) < ANSWER_BYTES_MAX and (part := await reader.read(ANSWER_BYTES_MAX - len(answer))):
        answer += part
    return answer


def _any_certificate() -> ssl.SSLContext:
    """The revision in the answer is the proof; nothing secret is sent."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def _read(spec: ProxySpec, answer: bytes) -> Live:
    head, _, body = answer.partition(b"\r\n\r\n")
    head = head.replace(b"\r\n", b"\n")
    status = _STATUS_LINE.match(head)
    revision = _REVISION.search(head)
    weight = body.strip()
    if status is None or int(status.group(1)) != _OK or revision is None or not weight.isdigit():
        said = status.group(1).decode() if status else repr(answer[:40])
        where = f"{spec.status_url}{spec.status_path}"
        away = not answer or (status is not None and int(status.group(1)) in _OF_A_GATEWAY)
        return Live(None, None, f"{where} answers {said}: no configuration of this plan runs there", away=away)
    lease, clock = _LEASE.search(head), _CLOCK.search(head)
    return Live(
        int(weight),
        revision.group(1).decode(),
        lease=lease.group(1).decode() if lease else None,  # type: ignore[arg-type] # the expression admits these only
        clock=float(clock.group(1)) if clock else None,
    )
