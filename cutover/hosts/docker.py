"""An nginx in a container, through the Docker SDK: on this machine or wherever DOCKER_HOST points."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from cutover.errors import ProxyError
from cutover.hosts import docker_access, docker_files, docker_logs, docker_test, orphans
from cutover.hosts.base import LogCursor, LogRead, Tested, Workers
from cutover.hosts.docker_engine import EXEC_TIMEOUT_S, NO_PROGRAM, DockerContainer, Ran, cure, execute, require_running
from cutover.hosts.docker_mounts import follow, stat
from cutover.hosts.nginx_conf import main_value, parse_version, worker_state
from cutover.plan.model import Docker

if TYPE_CHECKING:
    from docker.models.containers import Container

_SEARCH_BY_OTHERS = 0o001
_USUAL_ERROR_LOG = "/var/log/nginx/error.log"


class DockerHost:
    """The contract of ``Host``. The container is found by name at every call: it may have been made anew since."""

    def __init__(self, settings: Docker) -> None:
        self._settings = settings
        self._container = DockerContainer(settings.container)
        self._versions: dict[str, tuple[int, int, int]] = {}
        self._error_logs: dict[str, list[str]] = {}
        self._masters: set[tuple[str, int]] = set()
        """Containers, with the process on the engine's machine, whose first process is nginx's master."""

    async def running(self) -> bool:
        def asked(container: Container) -> bool:
            if container.status != "running":
                return False
            first = (str(container.id), int(container.attrs["State"]["Pid"]))
            if first in self._masters:
                return True
            master = _master(container)
            if master is not None and master.pid == first[1]:
                # A container ends with its first process: as long as this one runs, its processes need no listing.
                self._masters.add(first)
            return master is not None

        return await self._container.call(asked)

    async def orphans(self) -> frozenset[int]:
        return await self._container.call(_orphans)

    async def absence(self) -> ProxyError | None:
        if await self.running():
            return None
        name = self._settings.container
        status, hint = await self._container.call(lambda c: (c.status, cure(c)))
        if status != "running":
            return ProxyError(f"container {name} is {status}", hint=hint)
        if left := await self.orphans():
            return ProxyError(f"in container {name}, {orphans.told(left)}", hint=f"docker restart {name}")
        return ProxyError(f"no nginx runs in container {name}", hint=f"docker logs {name}; docker top {name}")

    async def start(self) -> None:
        """Raise unless it is up: a container is not ours to start."""
        if (why := await self.absence()) is not None:
            raise why

    async def stop(self) -> None:
        name = self._settings.container
        raise ProxyError(f"container {name} is not cutover's to stop", hint=f"docker stop {name}")

    async def version(self) -> tuple[int, int, int]:
        def asked(container: Container) -> tuple[int, int, int]:
            if (known := self._versions.get(str(container.id))) is not None:
                return known
            require_running(container)
            ran = self._nginx(container, "-v")
            self._versions[str(container.id)] = parse_version(ran.output)
            return self._versions[str(container.id)]

        return await self._container.call(asked, limit_s=EXEC_TIMEOUT_S)

    async def read(self, path: str) -> str | None:
        return await self._container.call(lambda c: docker_files.read(c, path))

    async def replace(self, path: str, text: str) -> None:
        await self._container.call(lambda c: docker_files.replace(c, path, text))

    async def rename(self, source: str, path: str) -> None:
        await self._container.call(lambda c: docker_files.rename(c, source, path))

    async def remove(self, path: str) -> None:
        await self._container.call(lambda c: docker_files.remove(c, path))

    async def write_tree(self, folder: str, files: Mapping[str, str]) -> None:
        def written(container: Container) -> None:
            if not docker_files.is_complete(container, folder):
                _check_reach(container, folder)
                docker_files.write_tree(container, folder, files)

        await self._container.call(written, limit_s=EXEC_TIMEOUT_S)

    async def put_files(self, folder: str, files: Mapping[str, str], gone: Iterable[str] = ()) -> None:
        await self._container.call(lambda c: docker_files.put_files(c, folder, files, gone), limit_s=EXEC_TIMEOUT_S)

    async def link(self, path: str, target: str) -> None:
        await self._container.call(lambda c: docker_files.link(c, path, target))

    async def test(self, path: str, text: str | None) -> Tested:
        def tested(container: Container) -> Tested:
            return docker_test.test(container, self._settings.conf, path, text, self._nginx)

        return await self._container.call_running(tested, limit_s=EXEC_TIMEOUT_S)

    async def reload(self) -> None:
        await self._container.call_running(self._reload, limit_s=EXEC_TIMEOUT_S)

    async def workers(self) -> Workers:
        processes = await self._container.call_running(_processes)
        states = {process.pid: worker_state(process.title) for process in processes}
        return Workers(
            active=frozenset(pid for pid, state in states.items() if state == "active"),
            draining=frozenset(pid for pid, state in states.items() if state == "draining"),
        )

    async def log_mark(self) -> object:
        return await self._container.call(lambda c: docker_logs.mark(c, self._logs(c)))

    async def emergencies(self, mark: object) -> list[str]:
        if not isinstance(mark, docker_logs.LogMark):
            raise TypeError(f"not a mark of this host: {mark!r}")
        return await self._container.call(lambda c: docker_logs.emergencies(c, mark))

    async def log_tail(self, lines: int) -> dict[str, str]:
        return await self._container.call(lambda c: docker_logs.tails(c, self._logs(c), lines=lines))

    async def log_end(self, path: str) -> LogCursor:
        return await self._container.call(lambda c: docker_access.log_end(c, path))

    async def read_log(self, path: str, cursor: LogCursor, limit: int) -> LogRead:
        return await self._container.call(lambda c: docker_access.read_log(c, path, cursor, limit))

    def _reload(self, container: Container) -> None:
        """HUP reaches PID 1 alone: where that is a shell or an init, nginx signals its master itself."""
        master = _master(container)
        if master is None:
            raise ProxyError(
                f"no nginx master runs in container {container.name}",
                hint=f"docker top {container.name}; docker logs {container.name}",
            )
        if master.pid == container.attrs["State"]["Pid"]:
            container.kill("HUP")
            return
        ran = self._nginx(container, "-c", self._settings.conf, "-s", "reload")
        if ran.code != 0:
            raise ProxyError(f"nginx -s reload in container {container.name} failed: {ran.output.strip()}")

    def _nginx(self, container: Container, *options: str) -> Ran:
        ran = execute(container, [self._settings.binary, *options])
        if ran.code in NO_PROGRAM:
            raise ProxyError(
                f"container {container.name} has no program {self._settings.binary}: {ran.output.strip()}",
                hint="control: {docker: {binary: ...}} names it",
            )
        return ran

    def _logs(self, container: Container) -> list[str]:
        """The error log file of the main configuration, read once per container; none where the engine has it all."""
        if (known := self._error_logs.get(str(container.id))) is None:
            text = docker_files.read(container, self._settings.conf) or ""
            log = main_value(text, "error_log") or _USUAL_ERROR_LOG
            known = [log] if log.startswith("/") else []
            self._error_logs[str(container.id)] = known
        return known


@dataclass(frozen=True)
class _Process:
    """``user`` is a name or a number, as the ``ps`` of the engine's machine has it."""

    pid: int
    user: str
    title: str

    @property
    def is_master(self) -> bool:
        return self.title.startswith("nginx: master process")

    @property
    def is_root(self) -> bool:
        return self.user in {"root", "0"}


def _processes(container: Container) -> list[_Process]:
    """The container's processes, with their ids on the engine's machine; user first and title last, as ``ps -ef``."""
    listed = container.top()
    pid = listed["Titles"].index("PID")
    return [_Process(int(row[pid]), row[0], row[-1]) for row in listed["Processes"] or ()]


def _master(container: Container) -> _Process | None:
    return next((process for process in _processes(container) if process.is_master), None)


def _orphans(container: Container) -> frozenset[int]:
    """Their numbers are those on the engine's machine."""
    listed = _processes(container) if container.status == "running" else []
    if any(process.is_master for process in listed):
        return frozenset()
    return frozenset(process.pid for process in listed if worker_state(process.title) is not None)


def _check_reach(container: Container, folder: str) -> None:
    """Raise if workers that are not root may not search a folder above: they would see no file and send all to old."""
    if container.status != "running":
        return
    processes = _processes(container)
    if not any(p.is_master and p.is_root for p in processes) or all(p.is_root for p in processes):
        return
    for above in reversed(PurePosixPath(folder, "file").parents):
        entry = stat(container, follow(container, str(above)))
        if entry is not None and not entry.mode & _SEARCH_BY_OTHERS:
            raise ProxyError(
                f"the workers in container {container.name} may not enter {above}: they could not see the switch files",
                hint=f"chmod o+x {above} in the container, or set proxy.split.dir to a folder that they reach",
            )
