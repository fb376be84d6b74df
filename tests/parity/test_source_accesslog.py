"""Requests from access logs: as nginx writes them, and as nobody should."""

from __future__ import annotations

import asyncio
import gzip
import tracemalloc
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from pydantic_core import PydanticCustomError

from cutover.parity.sources.accesslog import draw_access_logs, read_access_log
from cutover.parity.sources.drawn import Drawn, LeftOut
from tests.support.nginx import LIMIT_S, Bench, SomebodysNginx, fetch
from tests.support.ports import free_port

FORMATS = {
    "combined": "",
    "main": """log_format main '$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent '
        '"$http_referer" "$http_user_agent" "$http_x_forwarded_for" rt=$request_time "$upstream_addr"';""",
    "hosted": """log_format hosted '$host $remote_addr [$time_iso8601] $request_time "$request" $status';""",
    "by_line": """log_format by_line escape=json '{"t":"$time_iso8601","request":"$request","status":"$status"}';""",
    "by_uri": """log_format by_uri escape=json '{"request_method":"$request_method","request_uri":"$request_uri",'
        '"status":$status,"http_user_agent":"$http_user_agent"}';""",
    "by_args": """log_format by_args escape=json '{"http":{"method":"$request_method"},"uri":"$uri","args":"$args",'
        '"statusCode":"$status"}';""",
    "unescaped": """log_format unescaped '{"method":"$request_method","path":"$request_uri","status":$status}';""",
}
SENT = [
    b"GET /api/studies?page=1",
    b"GET /api/studies?page=1",
    b"GET /api/studies/7?q=%C3%A4+b&empty=&flag",
    b'GET /api/a"b\\c?x="y"',
    b"GET /api/\xc3\xa4?n=\xff",
    b"HEAD /api/studies?page=1",
    b"POST /api/studies",
    b"GET http://api.example/api/absolute",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
]
ASKED = {
    "GET /api/studies?page=1",
    "GET /api/studies/7?q=%C3%A4+b&empty=&flag",
    "GET /api/a%22b%5Cc?x=%22y%22",
    "GET /api/%C3%A4?n=%FF",
    "HEAD /api/studies?page=1",
}


def combined(request: str = "GET /api/studies HTTP/1.1", status: int = 200, agent: str = "curl/8") -> str:
    return f'10.1.2.3 - - [31/Jan/2026:10:00:00 +0000] "{request}" {status} 512 "-" "{agent}"\n'


def log(tmp_path: Path, *lines: str) -> Path:
    file = tmp_path / "access.log"
    file.write_text("".join(lines))
    return file


def asked(drawn: Drawn) -> list[str]:
    return [str(request) for request in drawn.requests]


def left_out(drawn: Drawn) -> dict[str, int]:
    return {one.reason: one.count for one in drawn.left_out}


@pytest.fixture
async def nginx(tmp_path: Path, nginx_binary: str) -> AsyncIterator[int]:
    port = free_port()
    logs = "\n".join(f"access_log {tmp_path}/{name}.log {name};" for name in FORMATS)
    server = f"server {{ listen 127.0.0.1:{port}; {logs} location / {{ return 200; }} }}"
    made = SomebodysNginx(tmp_path / "edge", nginx_binary, "\n".join(FORMATS.values()) + server)
    made.start()
    yield port
    await made.stop()


async def send(port: int, line: bytes) -> None:
    async with asyncio.timeout(LIMIT_S):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        head = b" HTTP/1.1\r\nHost: api.example\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
        writer.write(line + head)
        await reader.read()
        writer.close()


async def logged(files: list[Path]) -> None:
    """Of a request that it refuses nginx writes the line after the client has its answer."""
    async with asyncio.timeout(LIMIT_S):
        while any(file.read_bytes().count(b"\n") < len(SENT) for file in files):
            await asyncio.sleep(0.01)


async def test_what_nginx_logs_is_asked_as_it_was_sent(nginx: int, tmp_path: Path) -> None:
    for line in SENT:
        await send(nginx, line)
    await logged([tmp_path / f"{name}.log" for name in FORMATS])
    for name, log_format in FORMATS.items():
        drawn = await draw_access_logs(tmp_path / f"{name}.log")
        # $uri and $request_uri are without a host, whatever the client sent.
        without_host = set() if '$request"' in log_format or name == "combined" else {"GET /api/absolute"}
        assert set(asked(drawn)) == ASKED | without_host, name
        assert sum(left_out(drawn).values()) == 3 - len(without_host), (name, drawn.left_out)


async def test_cutovers_own_log_is_read_without_its_probes(bench: Bench) -> None:
    proxy = await bench.ready()
    for path in ("/api/v1/studies?page=1", "/api/v1/a%20b%3Fc", "/api/v1/%E4"):
        await fetch(bench.port, path)
    await fetch(bench.port, "/probed", headers={"X-Cutover-Probe": "1"})
    drawn = await draw_access_logs(Path(await proxy.access_log()))
    assert asked(drawn) == ["GET /api/v1/studies", "GET /api/v1/a%20b%3Fc", "GET /api/v1/%E4"]
    assert left_out(drawn) == {"asked without a query: cutover's own log keeps none": 3, "cutover's own requests": 1}


def test_cutovers_own_user_agent_and_status_path_are_left_out(tmp_path: Path) -> None:
    file = log(
        tmp_path,
        combined(),
        combined("GET /api/health HTTP/1.1", agent="cutover/0.1"),
        combined("GET /.cutover/medical-api HTTP/1.1"),
        '{"method":"GET","path":"/x","status":200,"user_agent":"cutover/0.1"}\n',
        '{"method":"GET","path":"/y","status":200,"http_x_cutover_probe":"1"}\n',
    )
    drawn = read_access_log(file)
    assert asked(drawn) == ["GET /api/studies"]
    assert left_out(drawn) == {"cutover's own requests": 4}


@pytest.mark.parametrize(
    "line",
    [
        '{"log":"10.0.0.1 - - [x] \\"GET /api/a?b=1 HTTP/1.1\\" 200 5\\n","stream":"stdout","time":"..."}',
        '2026-01-31T10:00:00Z stdout F 10.0.0.1 - - [x] "GET /api/a?b=1 HTTP/2.0" 200 5',
        '2026-01-31T10:00:00Z stdout F {"request_method":"GET","request_uri":"/api/a?b=1","status":200}',
        '{"message":"{\\"method\\":\\"GET\\",\\"path\\":\\"/api/a\\",\\"query\\":\\"b=1\\",\\"status\\":200}"}',
        '{"request":{"method":"GET","uri":"/api/a?b=1","headers":{"A":["x"]}},"status":200}',
        '{"RequestMethod":"GET","RequestPath":"/api/a?b=1","DownstreamStatus":200,"OriginStatus":200}',
        '{"http":{"request":{"method":"GET"},"response":{"status_code":200}},"url":{"original":"/api/a?b=1"}}',
        '{"httpRequest":{"requestMethod":"get","requestUrl":"https://api.example/api/a?b=1","status":200}}',
        '{"request":"/api/a","args":"b=1","method":"GET","status":"200"}',
    ],
)
def test_other_spellings_are_read(tmp_path: Path, line: str) -> None:
    assert asked(read_access_log(log(tmp_path, line))) == ["GET /api/a?b=1"]


def test_packed_logs_are_read_also_where_several_were_joined(tmp_path: Path) -> None:
    file = tmp_path / "access.log.2"
    file.write_bytes(
        gzip.compress(combined("GET /api/a HTTP/1.1").encode())
        + gzip.compress(combined("GET /api/b HTTP/1.1").encode())
    )
    plain = log(tmp_path, combined("GET /api/a HTTP/1.1"))
    assert asked(read_access_log(file, plain)) == ["GET /api/a", "GET /api/b"]


def test_what_may_be_a_credential_is_not_asked_with_and_told(tmp_path: Path) -> None:
    file = log(
        tmp_path,
        combined("GET /api/a?page=2&access_token=marked-secret HTTP/1.1"),
        combined("GET /api/a?X-Amz-Signature=marked-secret&page=2 HTTP/1.1"),
        combined("GET /api/a/eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmVk HTTP/1.1"),
        combined("POST /api/login?password=marked-secret HTTP/1.1"),
        combined("GET /api/broken?token=marked-secret HTTP/1.1", 500),
    )
    drawn = read_access_log(file)
    assert asked(drawn) == ["GET /api/a?page=2"]
    assert LeftOut("asked without its access_token parameter", 1, ["GET /api/a"]) in drawn.left_out
    assert LeftOut("asked without its x-amz-signature parameter", 1, ["GET /api/a"]) in drawn.left_out
    assert LeftOut("holds a token in its path", 1, ["GET /api/a/***"]) in drawn.left_out
    assert "marked-secret" not in str(drawn)


def test_only_reads_that_could_succeed_are_asked(tmp_path: Path) -> None:
    file = log(
        tmp_path,
        combined("GET /api/studies/1 HTTP/1.1"),
        combined("GET /api/studies/999 HTTP/1.1", 404),
        combined("GET /wp-login.php HTTP/1.1", 404),
        combined("GET /api/studies/2 HTTP/1.1", 502),
        combined("GET /ws HTTP/1.1", 101),
        combined("GET /static/app.3f2a.js HTTP/1.1"),
        combined("DELETE /api/studies/1 HTTP/1.1", 204),
        combined("GET /api/old HTTP/1.1", 301),
        combined("GET /" + "a" * 9000 + " HTTP/1.1"),
        "\n",
        "no log at all\n",
    )
    drawn = read_access_log(file)
    assert asked(drawn) == ["GET /api/studies/1", "GET /api/old", "GET /api/studies/999"]
    told = {one.reason: one.first for one in drawn.left_out}
    assert told == {
        "answered with 4xx, and no request of its endpoint ever succeeded": ["GET /wp-login.php"],
        "answered with 5xx when it was recorded": ["GET /api/studies/2"],
        "upgraded connections": ["GET /ws"],
        "scripts, styles and fonts": ["GET /static/app.3f2a.js"],
        "neither GET nor HEAD: list it, with unsafe: true, if it is to be compared": ["DELETE /api/studies/1"],
        "longer than 8 kB": [("GET /" + "a" * 9000)[:197] + "..."],
        "no request can be read in the line": [f"{file}:11"],
    }


def test_an_endless_line_is_counted_and_the_next_is_read(tmp_path: Path) -> None:
    file = log(
        tmp_path, combined("GET /a HTTP/1.1"), "x" * 10_000_000 + "\n", combined("GET /b HTTP/1.1"), "y" * 100_000
    )
    drawn = read_access_log(file)
    assert asked(drawn) == ["GET /a", "GET /b"]
    assert left_out(drawn) == {"lines longer than 64 kB": 2}


def test_nothing_that_a_terminal_obeys_is_told(tmp_path: Path) -> None:
    file = log(tmp_path, combined("GET /a?%1b[31m_token=x HTTP/1.1"), combined("POST /\\x1B[2J HTTP/1.1"))
    drawn = read_access_log(file)
    assert asked(drawn) == ["GET /a"]
    assert "\x1b" not in "".join([one.reason + "".join(one.first) for one in drawn.left_out])


def test_names_are_few_and_each_once(tmp_path: Path) -> None:
    lines = [combined(f"POST /api/{number // 2} HTTP/1.1") for number in range(40)]
    (one,) = read_access_log(log(tmp_path, *lines)).left_out
    assert (one.count, one.first) == (40, [f"POST /api/{number}" for number in range(5)])


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"\x00\xff\xfe binary\n" * 3, "holds no request: none of its 3 lines"),
        (gzip.compress(b"x" * 10_000, mtime=0)[:40], "is damaged"),
        (gzip.compress(combined().encode(), mtime=0) + b"garbage", "is damaged"),
        (gzip.compress(combined().encode(), mtime=0)[:-8] + b"\0" * 8, "is damaged"),
        (b"\xfd7zXZ\x00....", "packed by xz: unpack it first"),
        (b'{"a":' * 1000 + b"\n", "holds no request"),
        (b"[" * 60_000 + b"\n", "holds no request"),
    ],
)
def test_a_file_that_is_no_log_is_a_mistake_that_names_it(tmp_path: Path, content: bytes, complaint: str) -> None:
    file = tmp_path / "access.log"
    file.write_bytes(content)
    with pytest.raises(PydanticCustomError, match=complaint) as raised:
        read_access_log(file)
    assert str(file) in raised.value.message()


@pytest.mark.parametrize("name", ["missing.log", "."])
def test_a_file_that_cannot_be_opened_is_a_mistake(tmp_path: Path, name: str) -> None:
    with pytest.raises(PydanticCustomError, match="can't be read"):
        read_access_log(tmp_path / name)


def test_an_empty_log_gives_nothing(tmp_path: Path) -> None:
    assert read_access_log(log(tmp_path)) == Drawn([], [])


async def test_reading_ends_with_its_caller(tmp_path: Path) -> None:
    file = tmp_path / "endless.log"
    line = combined().encode()
    with gzip.open(file, "wb", compresslevel=1) as packed:
        for _ in range(300):
            packed.write(line * 3000)
    task = asyncio.create_task(draw_access_logs(file))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    async with asyncio.timeout(5):
        await asyncio.get_running_loop().shutdown_default_executor()


def test_memory_does_not_grow_with_the_log(tmp_path: Path) -> None:
    """50 MB, every request another one."""
    file = tmp_path / "access.log"
    agent = "Mozilla/5.0 " + "x" * 10_000
    with file.open("w") as out:
        for number in range(5000):
            out.write(combined(f"GET /api/{number % 50}/items/{number}?q={number * 7} HTTP/1.1", agent=agent))
    assert file.stat().st_size > 50_000_000
    tracemalloc.start()
    drawn = read_access_log(file, limit=200)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(drawn.requests) == 200
    assert peak < 15_000_000
