"""The proxy in front of both backends: ``open_proxy(ProxySpec.of(plan), state)``."""

from __future__ import annotations

import hashlib
from pathlib import Path

from cutover.hosts.base import Host
from cutover.hosts.local import LocalHost
from cutover.hosts.managed import ManagedHost, main_values
from cutover.paths import StateFolder
from cutover.proxy.nginx import NginxProxy
from cutover.proxy.render import render_main
from cutover.proxy.spec import ProxySpec

__all__ = ["NginxProxy", "ProxySpec", "open_proxy"]


def open_proxy(spec: ProxySpec, state: StateFolder, templates: Path | None = None) -> NginxProxy:
    """The proxy of a plan where it lives. Nothing is started or touched."""
    config = spec.proxy.config or str(state.nginx / "cutover.conf")
    if spec.proxy.control.managed is not None and state.path != Path.home() / ".local/state/cutover" / spec.name:
        # One plan may be tried in several states at once, each with an nginx of its own.
        spec = spec.with_switch_dir(f"{spec.switch_dir}-{hashlib.sha256(bytes(state.path)).hexdigest()[:8]}")
    return NginxProxy(spec, _host(spec, state, templates), config, state, templates)


def _host(spec: ProxySpec, state: StateFolder, templates: Path | None) -> Host:
    control = spec.proxy.control
    if control.docker is not None:
        from cutover.hosts.docker import DockerHost  # noqa: PLC0415 - start-up time

        return DockerHost(control.docker)
    if control.local is not None:
        return LocalHost(control.local.binary, control.local.pid_file, control.local.conf)
    binary = control.managed.binary if control.managed else None
    return ManagedHost(state.nginx, lambda: render_main(main_values(state.nginx), templates), binary)
