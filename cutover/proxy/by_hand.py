"""What a person types when cutover could not."""

from __future__ import annotations

from pathlib import PurePosixPath
from shlex import quote

from cutover.hosts.managed import default_binary
from cutover.plan.model import Docker, Local, Managed
from cutover.proxy import switch
from cutover.proxy.spec import ProxySpec


def spare_path(config: str) -> str:
    """The file of weight 0 that lies ready; a leading dot keeps it out of every ``include`` with a ``*``."""
    path = PurePosixPath(config)
    return str(path.with_name(f".{path.name}.cutover-w0"))


def commands(
    spec: ProxySpec, weight: int, config: str | None = None, orphans: frozenset[int] | None = None
) -> list[str]:
    """Shell commands that bring a weight about, in their order. ``config``: the file, for a managed nginx.

    ``orphans``: where no master runs, which would read the file anew, the workers that may have outlived it.
    """
    config = config or spec.proxy.config or "cutover.conf"
    lines = []
    if spec.by_client:
        lines += _link(spec, weight)
    control = spec.proxy.control
    if control.docker is not None:
        return [*lines, *_in_container(control.docker, config, weight, orphans)]
    if weight == 0:
        lines.append(f"mv {quote(spare_path(config))} {quote(config)}")
    else:
        lines.append(f"cutover render --weight {weight} > {quote(config)}")
    if orphans is None:
        return [*lines, *_reload(control.local, config)]
    # They hold the port: a new nginx gets it when they have ended. What would not start costs nobody anything yet.
    ended = [f"kill -QUIT {' '.join(map(str, sorted(orphans)))}"] if orphans else []
    binary, options = _program(control.managed, control.local, config)
    return [*lines, f"{binary} -t {options}", *ended, f"{binary} {options}"]


def _link(spec: ProxySpec, weight: int) -> list[str]:
    container = spec.proxy.control.docker
    run = f"docker exec {container.container} " if container else ""
    if weight == 0:
        return [f"{run}rm -f {quote(spec.link)}"]
    return [
        f"{run}ln -sfn {switch.folder(weight)} {quote(spec.link)}",
        # Nobody will renew a lease.
        f"{run}rm -f {quote(spec.lease_link)}",
    ]


def _in_container(docker: Docker, config: str, weight: int, orphans: frozenset[int] | None) -> list[str]:
    run, name = f"docker exec {docker.container}", docker.container
    if orphans is not None and not orphans:
        # It does not run: nothing can be executed in it, but files can be put there.
        file = PurePosixPath(config).name
        made = (
            f"docker cp {name}:{quote(spare_path(config))} {quote(file)}"
            if weight == 0
            else f"cutover render --weight {weight} > {quote(file)}"
        )
        return [made, f"docker cp {quote(file)} {name}:{quote(config)}", f"docker start {name}"]
    if weight == 0:
        put = f"{run} cp {quote(spare_path(config))} {quote(config)}"
    else:
        put = f"cutover render --weight {weight} | docker exec -i {docker.container} tee {quote(config)}"
    anew = f"docker restart {docker.container}" if orphans else f"docker kill -s HUP {docker.container}"
    return [put, f"{run} {docker.binary} -t -c {quote(docker.conf)}", anew]


def _reload(local: Local | None, config: str) -> list[str]:
    if local is None:
        return [f"kill -HUP $(cat {quote(str(PurePosixPath(config).with_name('nginx.pid')))})"]
    return [f"{local.binary} -t -c {quote(local.conf)}", f"kill -HUP $(cat {quote(local.pid_file)})"]


def _program(managed: Managed | None, local: Local | None, config: str) -> tuple[str, str]:
    if local is not None:
        return local.binary, f"-c {quote(local.conf)}"
    folder = PurePosixPath(config).parent
    binary = (managed.binary if managed else None) or default_binary()
    return quote(binary), f"-p {quote(str(folder))} -c {quote(str(folder / 'nginx.conf'))}"
