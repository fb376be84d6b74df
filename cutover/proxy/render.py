"""From a spec and a weight to configuration files: a pure function."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from math import gcd
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cutover.errors import UsageError
from cutover.plan.model import Route
from cutover.proxy.base import Mode, Rendered
from cutover.proxy.spec import ProxySpec, address, is_name

if TYPE_CHECKING:
    from jinja2 import Environment

DEFAULT_KEY = "$remote_addr$http_user_agent"
KEEPALIVE_MIN_TIMEOUT_S = 2
HAS_KEEPALIVE_MIN_TIMEOUT = (1, 27, 4)
HAS_RESOLVE = (1, 27, 3)
FULL = 100
# nginx follows ten internal redirects; some are left for what comes before and after.
MAX_RESENDS = 6
_BLANK = "@cutover-revision@"
_REVISION_LENGTH = 16
_HEADER = re.compile(
    r"\A# Written by cutover for the plan (?P<name>\S+); changes are overwritten\.\n"
    r"# mode: (?P<mode>request|client|settled)\n"
    r"# weight: (?P<weight>\d+|in \S+)\n"
    r"# revision: (?P<revision>[0-9a-f]{16})\n"
)


@dataclass(frozen=True)
class Facts:
    """What a rendering takes from the place where the proxy lives."""

    version: tuple[int, int, int]
    log: str
    templates: Path | None = None


@dataclass(frozen=True)
class Header:
    """The comment on top of a file of cutover's. ``authentic``: the text is as it was rendered."""

    name: str
    mode: Mode
    revision: str
    authentic: bool


@dataclass(frozen=True)
class Pool:
    name: str
    servers: list[str]
    comment: str = ""
    resolver: str = ""


@dataclass(frozen=True)
class Location:
    """``pool`` as in ``proxy_pass``, empty for a 404; ``side`` is a side or a variable with one."""

    match: str
    pool: str = ""
    route: str = ""
    side: str = ""
    absent_at_zero: bool = False


def render(spec: ProxySpec, weight: int, facts: Facts, *, settled: bool = False) -> Rendered:
    """The file that cutover owns, with its header. ``settled``: for good, without the other backend."""
    mode = mode_of(spec, settled=settled)
    values = _values(spec, weight, facts, mode)
    body = _environment(facts.templates).fill("cutover.conf.j2", values)
    shown = f"in {spec.link}/weight" if mode == "client" else str(weight)
    text = (
        f"# Written by cutover for the plan {spec.name}; changes are overwritten.\n"
        f"# mode: {mode}\n# weight: {shown}\n# revision: {_BLANK}\n\n{_tidy(body)}"
    )
    revision = _hash(text.replace(_BLANK, ""))
    return Rendered(text.replace(_BLANK, revision), revision, weight)


def render_include(spec: ProxySpec, facts: Facts, *, settled: bool = False) -> str:
    """The second file, for the user's own server block; it is the same for every weight."""
    values = _values(spec, FULL if settled else FULL // 2, facts, mode_of(spec, settled=settled))
    head = f"# Written by cutover for the plan {spec.name}; changes are overwritten.\n"
    return head + _tidy(_environment(facts.templates).fill("server.inc.j2", values))


def render_main(values: dict[str, str], templates: Path | None) -> str:
    """The main file of the managed nginx."""
    return _tidy(_environment(templates).fill("nginx.conf.j2", values))


def mode_of(spec: ProxySpec, *, settled: bool) -> Mode:
    if settled:
        return "settled"
    return "client" if spec.by_client else "request"


def read_header(text: str | None) -> Header | None:
    """The header of a file, or None where it is not one of cutover's."""
    match = _HEADER.match(text) if text else None
    if match is None or text is None:
        return None
    revision = match["revision"]
    return Header(
        name=match["name"],
        mode=match["mode"],  # type: ignore[arg-type] # the expression admits modes only
        revision=revision,
        authentic=_hash(text.replace(revision, "")) == revision,
    )


def weights(old: list[str], new: list[str], weight: int) -> tuple[int, int]:
    """The weight of each old and of each new server, so that the sides share as asked whatever their numbers."""
    common = gcd(len(old), len(new)) or 1
    return (FULL - weight) * len(new) // common, weight * len(old) // common


def _values(spec: ProxySpec, weight: int, facts: Facts, mode: Mode) -> dict[str, Any]:
    """All that templates may name."""
    proxy, server = spec.proxy, spec.proxy.server
    resolves = proxy.resolver is not None and facts.version >= HAS_RESOLVE
    override = None if mode == "settled" else _override(spec)
    between = 0 < weight < FULL
    weighted = not spec.by_client and (server is None or not any(map(is_name, [*spec.old, *spec.new])))
    sides = _sides(spec, weight, mode, resolves=resolves)
    one_each = len(spec.old) == len(spec.new) == 1
    return {
        "id": spec.id,
        "var": spec.variable,
        "mode": mode,
        "weight": weight,
        "scheme": spec.scheme,
        "revision": _BLANK,
        "log": facts.log,
        "switch_dir": spec.switch_dir,
        "lease_dir": spec.lease_link,
        "status_path": spec.status_path,
        "status_listen": spec.status_listen,
        "server_include": spec.include_path(proxy.config) if proxy.config else "",
        "keepalive_min_timeout": KEEPALIVE_MIN_TIMEOUT_S if facts.version >= HAS_KEEPALIVE_MIN_TIMEOUT else 0,
        "override": override,
        "weighted": weighted,
        "drawn": mode != "client" and not weighted and between,
        "constant_side": "new" if mode != "client" and weight == FULL else "old",
        "sides": sides,
        "sides_by_address": [
            (re.escape(address(s)), side)
            for side, servers in (("old", spec.old), ("new", spec.new))
            for s in servers
            if not is_name(s)
        ],
        "pools": _pools(spec, weight, sides, weighted=weighted, resolver=(proxy.resolver or "") if resolves else ""),
        "key": proxy.split.key or DEFAULT_KEY,
        "empty_key": re.sub(r"\$[a-z_][a-z0-9_]*", "", proxy.split.key or DEFAULT_KEY),
        "fallback": bool(spec.fallback),
        # A single server that failed is not asked again where a fallback can answer.
        "reads_go_on": "fallback" if spec.fallback and one_each else "again",
        "resend": 0 if one_each else min(2 * max(len(spec.old), len(spec.new)), MAX_RESENDS),
        "server": _server(spec),
        "locations": _locations(spec, weight, mode, weighted=weighted, override=override is not None),
    }


def _sides(spec: ProxySpec, weight: int, mode: Mode, *, resolves: bool) -> list[str]:
    """The sides that have a pool. One without traffic needs it only to be picked, and must not break the file."""
    reserve = mode == "client" or (mode == "request" and spec.proxy.split.override is not None)
    sides = []
    for side, servers, share in (("old", spec.old, FULL - weight), ("new", spec.new, weight)):
        harmless = resolves or not any(map(is_name, servers))
        routed = side == "old" and any(r.to == "old" for r in spec.proxy.routes)
        if share > 0 or routed or (reserve and (harmless or side == "old")):
            sides.append(side)
    return sides


def _pools(spec: ProxySpec, weight: int, sides: list[str], *, weighted: bool, resolver: str) -> list[Pool]:
    each_old, each_new = weights(spec.old, spec.new, weight)
    pools = []
    if weighted:
        mixed = [*_servers(spec.old, each_old, resolver), *_servers(spec.new, each_new, resolver)]
        comment = f"{weight} % to new."
        pools.append(Pool(spec.id, mixed, comment, resolver if _any_names(spec.old, spec.new) else ""))
    for side, servers in (("old", spec.old), ("new", spec.new), ("fallback", spec.fallback)):
        if side in sides or (side == "fallback" and servers):
            pools.append(
                Pool(f"{spec.id}_{side}", _servers(servers, 1, resolver), "", resolver if _any_names(servers) else "")
            )
    return pools


def _servers(servers: list[str], weight: int, resolver: str) -> list[str]:
    """One failure takes no server out: it would move the split, and hide from clients what fails."""
    if weight == 0:
        return []
    share = f" weight={weight}" if weight > 1 else ""
    return [f"{address(s)}{share} max_fails=0{' resolve' if resolver and is_name(s) else ''}" for s in servers]


def _any_names(*sides: list[str]) -> bool:
    return any(is_name(s) for servers in sides for s in servers)


def _override(spec: ProxySpec) -> dict[str, str] | None:
    override = spec.proxy.split.override
    if override is None or (override.header is None and override.cookie is None):
        return None
    header = override.header or "X-Cutover"
    return {
        "header_variable": f"http_{header.lower().replace('-', '_')}" if override.header else "http_x_cutover_off",
        "cookie": override.cookie or "",
    }


def _server(spec: ProxySpec) -> dict[str, Any] | None:
    server = spec.proxy.server
    if server is None:
        return None
    ssl = server.tls is not None
    return {
        "listens": [f"{each} ssl" if ssl and " ssl" not in each else each for each in server.listens],
        "name": server.server_name,
        "tls": server.tls,
        "client_max_body_size": server.client_max_body_size,
    }


def _locations(spec: ProxySpec, weight: int, mode: Mode, *, weighted: bool, override: bool) -> list[Location]:
    """Routes as locations; those that end in a slash get a twin without it.

    nginx would answer ``/api`` itself with a redirect to ``/api/``; it belongs to the route around it.
    """
    var = spec.variable
    routes = [r for r in spec.proxy.routes if not (r.to == "new" and mode != "client" and weight == 0)]
    by_path = {r.path: r for r in routes}
    locations = []
    for route in routes:
        made = _location(spec, route, weighted=weighted, override=override)
        around = _around(route.path, by_path)
        if route.to == "new" and mode == "client":
            made = Location(made.match, made.pool, made.route, f"${var}_sidecar", absent_at_zero=around is None)
        locations.append(made)
        bare = route.path.rstrip("/")
        if around is not None and route.path.endswith("/") and bare and bare not in by_path:
            twin = _location(spec, around, weighted=weighted, override=override)
            side = f"${var}_sidecar" if around.to == "new" and mode == "client" else twin.side
            locations.append(Location(f"= {bare}", twin.pool, twin.route, side))
    if "/" not in by_path:
        locations.append(Location("/"))
    return locations


def _location(spec: ProxySpec, route: Route, *, weighted: bool, override: bool) -> Location:
    if weighted and route.to is None:
        return Location(route.path, f"${spec.variable}_pool" if override else spec.id, route.path)
    if weighted:
        return Location(route.path, f"{spec.id}_{route.to}", route.path)
    return Location(route.path, f"{spec.id}_${spec.variable}_side", route.path, route.to or "")


def _around(path: str, by_path: dict[str, Route]) -> Route | None:
    """The route that would get these requests if this one were not there; None for a 404."""
    for end in range(len(path) - 1, 0, -1):
        if (route := by_path.get(path[:end])) is not None:
            return route
    return None


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode(errors="surrogateescape")).hexdigest()[:_REVISION_LENGTH]


def _tidy(text: str) -> str:
    return re.sub(r"\n{3,}", "\n\n", re.sub(r"\n+(\s*})", r"\n\1", text)).strip("\n") + "\n"


class _Templates:
    """Jinja, with the errors of whoever wrote a template told as such."""

    def __init__(self, environment: Environment, folder: Path) -> None:
        self._environment = environment
        self._folder = folder

    def fill(self, name: str, values: dict[str, Any]) -> str:
        import jinja2  # noqa: PLC0415 - start-up time

        try:
            return self._environment.get_template(name).render(values)
        except jinja2.TemplateNotFound as error:
            raise UsageError(f"{self._folder / str(error.name)}: no such template") from None
        except jinja2.TemplateSyntaxError as error:
            where = f"{error.filename or self._folder / name}:{error.lineno}"
            raise UsageError(f"{where}: {error.message}") from None
        except jinja2.UndefinedError as error:
            raise UsageError(f"{self._where(error, name)}: {error.message}") from None

    def _where(self, error: Exception, name: str) -> str:
        trace, where = error.__traceback__, str(self._folder / name)
        while trace is not None:
            if trace.tb_frame.f_code.co_filename.startswith(str(self._folder)):
                where = f"{trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}"
            trace = trace.tb_next
        return where


_environments: dict[Path, _Templates] = {}


def _environment(folder: Path | None) -> _Templates:
    folder = folder.resolve() if folder else default_folder()
    if not folder.is_dir():
        raise UsageError(f"{folder}: no such folder of templates")
    if folder not in _environments:
        from jinja2 import Environment, FileSystemLoader, StrictUndefined  # noqa: PLC0415 - start-up time

        environment = Environment(
            loader=FileSystemLoader(folder),
            undefined=StrictUndefined,
            autoescape=False,  # noqa: S701 - nginx, not HTML; the plan's grammar admits nothing to escape
            trim_blocks=True,
            lstrip_blocks=True,
            keep_trailing_newline=True,
        )
        _environments[folder] = _Templates(environment, folder)
    return _environments[folder]


def default_folder() -> Path:
    """The templates that come with cutover: in the wheel, or in a source checkout."""
    package = Path(__file__).resolve().parent.parent
    packaged = package / "_templates" / "nginx"
    return packaged if packaged.is_dir() else package.parent / "templates" / "nginx"
