"""Somebody's nginx on this machine: known by its pid file, its binary and its main configuration file."""

from __future__ import annotations

import asyncio
import errno
import glob
import os
import re
import shutil
import signal
import stat
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from cutover.errors import ProxyError
from cutover.hosts import durable, orphans, processes
from cutover.hosts.base import LogCursor, LogRead, Tested, Workers
from cutover.hosts.logs import LocalLogs, end, read_on
from cutover.hosts.nginx_conf import emergencies_in, main_value, mirror, parse_version

T = TypeVar("T")

TEST_TIMEOUT_S = 30.0
VERSION_TIMEOUT_S = 10.0
LOG_TAIL_BYTES = 64 * 1024
CONFIG_MODE = 0o644
SYSTEM_FOLDERS = ("/usr/sbin", "/usr/local/sbin", "/usr/local/nginx/sbin", "/sbin")


@dataclass(frozen=True)
class LogMark:
    """Where the error log ended: its inode and size."""

    inode: int
    size: int


@dataclass(frozen=True)
class Build:
    """What ``nginx -V`` says of a binary."""

    version: tuple[int, int, int]
    prefix: str
    error_log: str


_builds: dict[tuple[str, int], Build] = {}


class LocalHost:
    """Implements ``Host`` for an nginx that somebody else starts and stops."""

    config_mode = CONFIG_MODE

    def __init__(self, binary: str, pid_file: str, conf: str) -> None:
        self.binary = binary
        self.pid_file = Path(pid_file)
        self.conf = conf

    async def running(self) -> bool:
        return self.master() is not None

    async def orphans(self) -> frozenset[int]:
        return await asyncio.to_thread(self._orphans)

    async def absence(self) -> ProxyError | None:
        if await self.running():
            return None
        start = f"start it: systemctl start nginx, or {self.binary} -c {self.conf}"
        if left := await self.orphans():
            return ProxyError(orphans.told(left), hint=f"kill -QUIT {' '.join(map(str, sorted(left)))}; then {start}")
        return ProxyError(f"nginx is not running (no master process in {self.pid_file})", hint=start)

    async def start(self) -> None:
        if (why := await self.absence()) is not None:
            raise why

    async def stop(self) -> None:
        raise ProxyError("this nginx is not cutover's to stop", hint="systemctl stop nginx")

    async def version(self) -> tuple[int, int, int]:
        return (await self.build()).version

    async def read(self, path: str) -> str | None:
        return await self._files(path, lambda: _read(Path(path)))

    async def replace(self, path: str, text: str) -> None:
        await self._files(path, lambda: durable.write(Path(path), text, self.config_mode))

    async def rename(self, source: str, path: str) -> None:
        await self._files(path, lambda: durable.rename(Path(source), Path(path)))

    async def remove(self, path: str) -> None:
        await self._files(path, lambda: durable.remove(Path(path)))

    async def write_tree(self, folder: str, files: Mapping[str, str]) -> None:
        await self._files(folder, lambda: durable.tree(Path(folder), files))
        await self._files(folder, lambda: self._check_reach(Path(folder)))

    async def put_files(self, folder: str, files: Mapping[str, str], gone: Iterable[str] = ()) -> None:
        await self._files(folder, lambda: durable.put(Path(folder), files, gone))

    async def link(self, path: str, target: str) -> None:
        await self._files(path, lambda: durable.link(Path(path), target))

    async def test(self, path: str, text: str | None) -> Tested:
        with _scratch_folder() as root:
            made = await self._files(root, lambda: mirror(LocalFiles(), self.conf, path, text, root))
            if not made.included:
                return Tested(ok=False, output=f"no include in {self.conf} leads to {path}: nginx would not read it")
            await self._files(root, lambda: _lay_out(made.texts, Path(root), Path(self.conf).parent))
            build = await self.build()
            code, output = await processes.run(
                [self.found_binary(), "-t", "-p", build.prefix, "-c", made.conf], TEST_TIMEOUT_S
            )
            return Tested(code == 0, made.explain(output).strip(), frozenset(made.passed_to))

    async def reload(self) -> None:
        master = self.master()
        if master is None:
            await self.start()
            return
        try:
            os.kill(master, signal.SIGHUP)
        except PermissionError:
            raise ProxyError(
                f"no permission to signal nginx (process {master})", hint="run cutover as the user that started nginx"
            ) from None
        except ProcessLookupError:
            raise ProxyError(f"nginx (process {master}) ended just now") from None

    async def workers(self) -> Workers:
        master = self.master()
        return processes.nginx_workers(master) if master else Workers()

    def retire(self, workers: Iterable[int]) -> None:
        """Have workers end gracefully; for use once their successors answer.

        The master does the same, but sleeps for 100 ms before. Those that have ended since it marks as such.
        """
        master = self.master()
        for worker in set(processes.children(master)) & set(workers) if master else ():
            with suppress(ProcessLookupError, PermissionError):
                os.kill(worker, signal.SIGQUIT)

    async def log_mark(self) -> object:
        return _mark(await self._error_log())

    async def emergencies(self, mark: object) -> list[str]:
        log, now = await self._error_log(), _mark(await self._error_log())
        if log is None or now is None:
            return []
        start = mark.size if isinstance(mark, LogMark) and mark.inode == now.inode and mark.size <= now.size else 0
        return emergencies_in(await self._files(str(log), lambda: _from(log, start)))

    async def log_tail(self, lines: int) -> dict[str, str]:
        log, now = await self._error_log(), _mark(await self._error_log())
        if log is None or now is None:
            return {}
        tail = await self._files(str(log), lambda: _from(log, max(0, now.size - LOG_TAIL_BYTES)))
        return {"error.log": "\n".join(tail.splitlines()[-lines:])}

    async def log_end(self, path: str) -> LogCursor:
        return await self._files(path, lambda: end(LocalLogs(), path))

    async def read_log(self, path: str, cursor: LogCursor, limit: int) -> LogRead:
        return await self._files(path, lambda: read_on(LocalLogs(), path, cursor, limit))

    def master(self) -> int | None:
        """The master's process id, if the pid file names a process that is one."""
        pid = self._named()
        return pid if pid and processes.is_nginx_master(pid) else None

    def _named(self) -> int:
        """The process that the pid file names, which may be gone; 0 where it names none."""
        try:
            return int(self.pid_file.read_text().strip() or "0")
        except (OSError, ValueError):
            return 0

    def _orphans(self) -> frozenset[int]:
        """A killed master leaves its pid file, and its number with its workers' process group."""
        gone = 0 if self.master() else self._named()
        return orphans.found(orphans.led_by(gone)) if gone else frozenset()

    def found_binary(self) -> str:
        """The path of the binary; raises ``ProxyError`` where there is none."""
        path = shutil.which(self.binary) or shutil.which(self.binary, path=os.pathsep.join(SYSTEM_FOLDERS))
        if path is None:
            raise ProxyError(f"no nginx at {self.binary}", hint="proxy.control.local.binary names it")
        return path

    async def build(self) -> Build:
        """What ``nginx -V`` says, asked once per binary."""
        path = self.found_binary()
        key = (path, await self._files(path, lambda: Path(path).stat().st_mtime_ns))
        if key not in _builds:
            code, output = await processes.run([path, "-V"], VERSION_TIMEOUT_S)
            if code != 0:
                said = output.strip() or "it said nothing"
                raise ProxyError(f"{path} -V failed with status {code}: {said}", hint="is this binary an nginx?")
            _builds[key] = Build(
                version=parse_version(output),
                prefix=_configured(output, "prefix") or "/usr/local/nginx",
                error_log=_configured(output, "error-log-path") or "logs/error.log",
            )
        return _builds[key]

    async def _error_log(self) -> Path | None:
        main = await self.read(self.conf)
        build = await self.build()
        log = main_value(main, "error_log") if main else None
        log = log or build.error_log
        if log == "stderr" or log.startswith(("syslog:", "memory:")):
            return None
        return Path(build.prefix, log)

    def _check_reach(self, folder: Path) -> None:
        """Raise if others could move traffic here, or if the workers could not see the files and sent all to old."""
        for above in (folder.parent, folder.parent.parent):
            if stranger := _writable_by(above):
                raise ProxyError(
                    f"{above} {stranger}: whoever can write there moves traffic",
                    hint="set proxy.split.dir to a folder that only you can write to",
                )
        workers = processes.nginx_workers(master).active if (master := self.master()) else frozenset()
        for worker in sorted(workers)[:1]:
            if blocked := processes.unreachable_folder(worker, folder):
                raise ProxyError(
                    f"nginx's workers may not enter {blocked}: they could not see the switch files",
                    hint=f"chmod o+x {blocked}, or set proxy.split.dir to a folder that they reach",
                )

    async def _files(self, path: str, work: Callable[[], T]) -> T:
        try:
            return await asyncio.to_thread(work)
        except OSError as error:
            raise ProxyError(f"{error.filename or path}: {error.strerror or error}", hint=_cure(error)) from error


class LocalFiles:
    """Implements ``nginx_conf.Files`` for this machine."""

    def read(self, path: str) -> str | None:
        return _read(Path(path))

    def glob(self, pattern: str) -> list[str]:
        return glob.glob(pattern)  # noqa: PTH207 - Path.glob takes no absolute patterns

    def real(self, path: str) -> str:
        return os.path.realpath(path)


def _read(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8", errors="surrogateescape")
    except FileNotFoundError:
        return None


def _writable_by(folder: Path) -> str | None:
    """Who but root and us may replace what is in a folder, in words that follow its name."""
    known = folder.lstat()
    if stat.S_ISLNK(known.st_mode):
        return "is a symbolic link"
    if known.st_uid not in {0, os.geteuid()}:
        return f"belongs to user {known.st_uid}"
    if known.st_mode & stat.S_IWOTH and not known.st_mode & stat.S_ISVTX:
        return "is open to all"
    return None


def _mark(log: Path | None) -> LogMark | None:
    try:
        known = log.stat() if log else None
    except OSError:
        return None
    return LogMark(known.st_ino, known.st_size) if known else None


def _from(path: Path, start: int) -> str:
    with path.open("rb") as file:
        file.seek(start)
        return file.read().decode(errors="replace")


@contextmanager
def _scratch_folder() -> Iterator[str]:
    try:
        root = tempfile.mkdtemp(prefix="cutover-test-")
    except OSError as error:
        raise ProxyError(f"no scratch folder for nginx -t: {error}", hint=_cure(error)) from error
    try:
        yield root
    finally:
        shutil.rmtree(root, ignore_errors=True)


def _lay_out(texts: Mapping[str, str], root: Path, conf_folder: Path) -> None:
    for path, text in texts.items():
        Path(path).write_text(text, encoding="utf-8", errors="surrogateescape")
    for entry in os.scandir(conf_folder):
        if not (root / entry.name).exists():
            (root / entry.name).symlink_to(entry.path)


def _configured(output: str, option: str) -> str | None:
    match = re.search(rf"--{option}=('[^']*'|\S+)", output)
    return match.group(1).strip("'") if match else None


def _cure(error: OSError) -> str | None:
    return {
        errno.ENOSPC: "free some space on that disk",
        errno.EDQUOT: "free some space on that disk",
        errno.EROFS: "that file system is read-only",
        errno.EACCES: "run cutover as a user that may write there",
        errno.EPERM: "run cutover as a user that may write there",
        errno.ENOENT: "that folder has to exist",
    }.get(error.errno or 0)
