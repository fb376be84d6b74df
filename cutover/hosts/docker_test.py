"""``nginx -t`` in a container, over a scratch copy of its configuration beside the file under test."""

from __future__ import annotations

import posixpath
from collections.abc import Callable
from typing import TYPE_CHECKING

from cutover.hosts.base import Tested
from cutover.hosts.docker_archive import Folder, file, read_folder, symbolic_link
from cutover.hosts.docker_engine import Ran
from cutover.hosts.docker_files import decoded, put_tree, remove_tree
from cutover.hosts.docker_mounts import follow, require_replaceable
from cutover.hosts.nginx_conf import glob_match, mirror

if TYPE_CHECKING:
    from docker.models.containers import Container


def test(container: Container, conf: str, path: str, text: str | None, nginx: Callable[..., Ran]) -> Tested:
    """Run ``nginx -t`` over the configuration of ``conf`` in which ``path`` has ``text``.

    The scratch folder is named after the file, so that one that could not be removed is used again.
    """
    require_replaceable(container, path)
    root = posixpath.join(posixpath.dirname(path), f".cutover-test-{posixpath.basename(path)}")
    files = ContainerConf(container, posixpath.dirname(conf))
    made = mirror(files, conf, path, text, root)
    if not made.included:
        return Tested(ok=False, output=f"no include in {conf} leads to {path}: nginx would not read it")
    entries = [file(posixpath.relpath(scratch, root), content) for scratch, content in made.texts.items()]
    names = {entry.path for entry in entries}
    beside = [symbolic_link(posixpath.basename(p), p) for p in files.top if posixpath.basename(p) not in names]
    put_tree(container, root, [*beside, *entries])
    try:
        ran = nginx(container, "-t", "-c", made.conf)
    finally:
        remove_tree(container, root)
    return Tested(ran.code == 0, made.explain(ran.output.strip()), frozenset(made.passed_to))


class ContainerConf:
    """The files of a container's configuration, a folder at a time: one request for all of ``/etc/nginx``."""

    def __init__(self, container: Container, folder: str) -> None:
        self._container = container
        self._main = folder
        self._folders: dict[str, Folder] = {}
        self._real: dict[str, str] = {}

    @property
    def top(self) -> list[str]:
        """What lies directly in the main configuration's folder."""
        return [path for path in self._folder(self._main).paths if posixpath.dirname(path) == self._main]

    def read(self, path: str) -> str | None:
        real = self.real(path)
        content = self._folder(posixpath.dirname(real)).files.get(real)
        return decoded(content) if content is not None else None

    def glob(self, pattern: str) -> list[str]:
        fixed = posixpath.dirname(pattern)
        while any(sign in fixed for sign in "*?["):
            fixed = posixpath.dirname(fixed)
        return [path for path in self._folder(self.real(fixed)).paths if glob_match(path, pattern)]

    def real(self, path: str) -> str:
        if path not in self._real:
            self._real[path] = follow(self._container, path)
        return self._real[path]

    def _folder(self, folder: str) -> Folder:
        """A folder that was read before, itself or as a part of one above it."""
        for known, content in self._folders.items():
            if folder == known or folder.startswith(f"{known}/"):
                return content
        self._folders[folder] = read_folder(self._container, folder)
        return self._folders[folder]
