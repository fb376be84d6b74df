"""All that a proxy needs to know of a plan, and nothing secret: also what a rollback reads when the plan is lost."""

from __future__ import annotations

import hashlib
import ipaddress
import os
from pathlib import PurePosixPath
from typing import Literal, Self
from urllib.parse import urlsplit, urlunsplit

from cutover.plan.base import PlanModel
from cutover.plan.model import Plan, Proxy

MAX_VARIABLE_ID = 24
STATUS_PORT = 20127


class ProxySpec(PlanModel):
    """``old``, ``new`` and ``fallback`` are servers as the proxy reaches them."""

    name: str
    proxy: Proxy
    old: list[str]
    new: list[str]
    old_url: str = ""
    """Where a rollback asks whether old answers."""
    fallback: list[str] = []  # noqa: RUF012 - a model's default
    scheme: Literal["http", "https"] = "http"

    @classmethod
    def of(cls, plan: Plan) -> Self:
        """The spec of a plan; userinfo in URLs is left out."""
        proxy = plan.proxy.model_copy(update={"url": bare_url(plan.proxy.url)})
        if proxy.status is not None:
            status = proxy.status.model_copy(update={"url": bare_url(proxy.status.url)})
            proxy = proxy.model_copy(update={"status": status})
        backends = plan.backends
        return cls(
            name=plan.name,
            proxy=proxy,
            old=backends.old.servers,
            new=backends.new.servers,
            old_url=bare_url(backends.old.url),
            fallback=backends.fallback.servers if backends.fallback else [],
            scheme="https" if backends.old.scheme == "https" else "http",
        )

    @property
    def id(self) -> str:
        """The plan's name as upstreams bear it."""
        return self.name.replace("-", "_")

    @property
    def variable(self) -> str:
        """How the names of nginx variables begin: short, for nginx's hash of them takes no long ones by default."""
        if len(self.id) <= MAX_VARIABLE_ID:
            return f"cutover_{self.id}"
        return f"cutover_{self.id[:15]}_{hashlib.sha256(self.id.encode()).hexdigest()[:8]}"

    @property
    def by_client(self) -> bool:
        return self.proxy.split.by == "client"

    @property
    def passed_to(self) -> str:
        """What the user's own server block has to name in ``proxy_pass``."""
        override = self.proxy.split.override
        chosen = self.by_client or (override is not None and (override.header or override.cookie) is not None)
        return f"${self.variable}_pool" if chosen else self.id

    def is_followed(self, passed_to: frozenset[str]) -> bool:
        """Whether a server block passes requests to this split: cutover's own does."""
        if self.proxy.server is not None:
            return True
        hosts = {target.rpartition("://")[2].partition("/")[0] for target in passed_to}
        return bool(hosts & {self.id, f"${self.variable}_pool", f"${{{self.variable}_pool}}"})

    @property
    def switch_dir(self) -> str:
        """Where the switch files are: outside the state folder, which workers can't enter."""
        if self.proxy.split.dir is not None:
            return self.proxy.split.dir
        if self.proxy.control.kind == "docker" or os.geteuid() == 0:
            return f"/var/lib/cutover/{self.name}"
        return f"/var/tmp/cutover-{os.geteuid()}/{self.name}"  # noqa: S108 - ownership is checked before use

    def with_switch_dir(self, default: str) -> Self:
        """The spec with this switch folder, unless the plan names one or the split needs none."""
        split = self.proxy.split
        if split.by != "client" or split.dir is not None:
            return self
        proxy = self.proxy.model_copy(update={"split": split.model_copy(update={"dir": default})})
        return self.model_copy(update={"proxy": proxy})

    @property
    def link(self) -> str:
        return f"{self.switch_dir}/current"

    @property
    def lease_link(self) -> str:
        """Leads to the files of the lease while there is one."""
        return f"{self.switch_dir}/lease"

    @property
    def status_path(self) -> str:
        return f"/.cutover/{self.name}"

    @property
    def status_listen(self) -> str | None:
        """What the proxy listens on for the status alone; None where the own server answers it.

        Without an address of the plan's, it is one of 127.0.0.0/8 that only this plan with this file leads to: a unix
        socket would stay behind a killed nginx and keep it from starting again.
        """
        if self.proxy.status is not None:
            return self.proxy.status.listen
        if self.proxy.server is not None:
            return None
        digest = hashlib.sha256(f"{self.name} {self.proxy.config}".encode()).digest()
        return f"127.{digest[0] % 254 + 1}.{digest[1]}.{digest[2] % 254 + 1}:{STATUS_PORT}"

    @property
    def status_url(self) -> str:
        """Where cutover asks: scheme, host and port."""
        if self.proxy.status is not None:
            return self.proxy.status.url
        return self.proxy.url if self.proxy.server is not None else f"http://{self.status_listen}"

    def include_path(self, config: str) -> str:
        """The second file, which the user's own server block includes."""
        path = PurePosixPath(config)
        return str(path.with_name(path.name.removesuffix(".conf") + ".server.inc"))


def is_name(server: str) -> bool:
    """Whether nginx has to resolve this server; ``localhost`` is 127.0.0.1."""
    if server.startswith("unix:"):
        return False
    host = server.rpartition(":")[0].strip("[]")
    if host == "localhost":
        return False
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return True
    return False


def address(server: str) -> str:
    """A server as nginx names it in $upstream_addr."""
    if server.startswith("unix:") or is_name(server):
        return server
    host, _, port = server.rpartition(":")
    if host == "localhost":
        return f"127.0.0.1:{port}"
    ip = ipaddress.ip_address(host.strip("[]"))
    return f"{ip}:{port}" if ip.version == 4 else f"[{ip.compressed}]:{port}"  # noqa: PLR2004 - IP versions


def bare_url(url: str) -> str:
    """A URL without its userinfo."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))
