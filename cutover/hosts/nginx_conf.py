"""What every host has to know about nginx's configuration files: how they are read, and what nginx says of them.

The scratch copy of a configuration is made here without touching a disk: ``mirror`` returns the texts, a host writes
them where it can and runs ``nginx -t`` over them.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Protocol

from cutover.errors import ProxyError

# Spaces and comments, quoted words, signs, bare words: as ngx_conf_read_token reads them. Inside a bare word, "#",
# quotes and "}" are ordinary, and "${" does not open a block.
_TOKEN = re.compile(
    r"""(?P<skip>\s+|\#[^\n]*)
      | "(?P<double>(?:\\.|[^"\\])*)"
      | '(?P<single>(?:\\.|[^'\\])*)'
      | (?P<sign>[;{}])
      | (?P<bare>(?:\\.|\$\{|[^\s;{}\\])(?:\\.|\$\{|[^\s;{\\])*)""",
    re.VERBOSE | re.DOTALL,
)
_VERSION = re.compile(r"nginx version: \S+?/(\d+)\.(\d+)\.(\d+)")
_BUSY = re.compile(r"bind\(\) to (\S+) failed \((?:98|48)[:)]")
MAX_INCLUDE_DEPTH = 32
DEFAULT_LOG_FOLDER = "/var/log/nginx"


@dataclass(frozen=True)
class Directive:
    """A simple directive or the head of a block; ``start`` and ``end`` are offsets into the text, the sign included."""

    name: str
    args: tuple[str, ...]
    start: int
    end: int
    depth: int


def directives(text: str) -> Iterator[Directive]:
    """The directives of a file in order; what nginx itself would refuse is passed over."""
    words: list[str] = []
    start, at, depth = 0, 0, 0
    while match := _TOKEN.match(text, at):
        at = match.end()
        kind = match.lastgroup
        if kind == "skip":
            continue
        if kind == "sign":
            if words:
                yield Directive(words[0], tuple(words[1:]), start, at, depth)
            words = []
            depth += {"{": 1, "}": -1, ";": 0}[match.group()]
            continue
        if not words:
            start = match.start()
        words.append(match.group(kind or 0))


class Files(Protocol):
    """The files of the place where nginx runs, as ``mirror`` reads them."""

    def read(self, path: str) -> str | None:
        """The text of a file, or None where there is none."""
        ...

    def glob(self, pattern: str) -> list[str]:
        """The paths that match a pattern of the shell."""
        ...

    def real(self, path: str) -> str:
        """The path with its symbolic links followed."""
        ...


@dataclass
class Mirror:
    """A scratch copy: ``texts`` by path under ``root``; ``conf`` is what ``nginx -t -c`` is given."""

    root: str
    conf: str = ""
    texts: dict[str, str] = field(default_factory=dict)
    origins: dict[str, str] = field(default_factory=dict)
    passed_to: set[str] = field(default_factory=set)
    """What the files besides the one under test pass requests to."""
    included: bool = False
    """Whether the configuration includes the file under test at all."""

    def explain(self, output: str) -> str:
        """Name the real files in what nginx said."""
        for scratch, real in sorted(self.origins.items(), key=lambda item: -len(item[0])):
            output = output.replace(scratch, real)
        return output


def mirror(files: Files, conf: str, path: str, text: str | None, root: str) -> Mirror:
    """The configuration that starts at ``conf``, in which ``path`` has ``text`` (None: is absent), under ``root``.

    Only files that include others are copied, with absolute includes and one line for one; the rest is included from
    where it is. The copy of ``conf`` lies directly in ``root``: names of certificates and the like that are relative
    to the folder of ``conf`` must be found there (a host links them).
    """
    made = Mirror(root)
    walk = _Walk(files, posixpath.dirname(conf), files.real(path), path, text, made)
    main = walk.text_of(conf)
    if main is None:
        raise ProxyError(f"{conf} can't be read", hint="proxy.control names the main configuration file of nginx")
    made.conf = walk.put(conf, walk.rewrite(main, 0), posixpath.basename(conf))
    return made


@dataclass
class _Walk:
    files: Files
    folder: str
    target: str
    path: str
    text: str | None
    made: Mirror

    def text_of(self, path: str) -> str | None:
        if self.is_target(path):
            return self.text
        text = self.files.read(path)
        found = (d.args[0] for d in directives(text or "") if d.name.endswith("_pass") and d.args)
        self.made.passed_to.update(found)
        return text

    def is_target(self, path: str) -> bool:
        return path == self.path or self.files.real(path) == self.target

    def put(self, origin: str, text: str, name: str) -> str:
        scratch = posixpath.join(self.made.root, name)
        self.made.texts[scratch] = text
        self.made.origins[scratch] = origin
        return scratch

    def rewrite(self, text: str, depth: int) -> str:
        """The text with its includes absolute and led into the scratch copy, and the pid file kept out of the way."""
        if depth > MAX_INCLUDE_DEPTH:
            raise ProxyError(f"the files of {self.folder} include each other without end")
        parts, at = [], 0
        for found in directives(text):
            if found.name == "include" and len(found.args) == 1:
                lines = "".join(f"include {quoted(p)}; " for p in self.included(found.args[0], depth))
            elif found.name == "pid" and found.depth == 0 and depth == 0:
                # nginx -t opens the pid file for writing, and leaves an empty one behind where there was none.
                lines = "pid /dev/null;"
            else:
                continue
            parts += [text[at : found.start], lines, "\n" * text.count("\n", found.start, found.end)]
            at = found.end
        return "".join([*parts, text[at:]])

    def included(self, pattern: str, depth: int) -> list[str]:
        pattern = posixpath.normpath(posixpath.join(self.folder, pattern))
        if not re.search(r"[*?\[]", pattern):
            return [self.lead(pattern, depth)]
        paths = {p for p in self.files.glob(pattern) if self.text is not None or not self.is_target(p)}
        if glob_match(self.path, pattern):
            self.made.included = True
            paths |= {self.path} if self.text is not None else set()
        return [self.lead(p, depth) for p in sorted(paths)]

    def lead(self, path: str, depth: int) -> str:
        """Where to include a file from: itself, or its copy where that differs."""
        text = self.text_of(path)
        if self.is_target(path):
            self.made.included = True
            if text is not None:
                return self.put(path, text, f"{len(self.made.texts)}-{posixpath.basename(path)}")
            return posixpath.join(self.made.root, "absent", posixpath.basename(path))
        if text is None or "include" not in text:
            return path
        rewritten = self.rewrite(text, depth + 1)
        if rewritten == text:
            return path
        return self.put(path, rewritten, f"{len(self.made.texts)}-{posixpath.basename(path)}")


def glob_match(path: str, pattern: str) -> bool:
    """As glob(3) without flags: "*" crosses no "/" and meets no leading dot."""
    names, patterns = path.split("/"), pattern.split("/")
    return len(names) == len(patterns) and all(
        fnmatchcase(name, part) and (not name.startswith(".") or part.startswith("."))
        for name, part in zip(names, patterns, strict=True)
    )


def quoted(word: str) -> str:
    """A word as nginx reads it back."""
    if re.fullmatch(r"[A-Za-z0-9._/@+:-]+", word):
        return word
    escaped = word.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def main_value(text: str, name: str) -> str | None:
    """The first argument of a directive of the main context, as ``error_log`` or ``pid``; the last one counts."""
    values = [d.args[0] for d in directives(text) if d.name == name and d.depth == 0 and d.args]
    return values[-1] if values else None


def log_folder(main_conf: str) -> str:
    """The folder where this nginx logs, as far as its main file says."""
    error_log = main_value(main_conf, "error_log")
    return posixpath.dirname(error_log) if error_log and error_log.startswith("/") else DEFAULT_LOG_FOLDER


def parse_version(output: str) -> tuple[int, int, int]:
    """From ``nginx -v`` or ``nginx -V``."""
    match = _VERSION.search(output)
    if match is None:
        raise ProxyError(f"no nginx: -v said {output.strip()[:200]!r}")
    major, minor, patch = map(int, match.groups())
    return major, minor, patch


def emergencies_in(log: str) -> list[str]:
    """The ``[emerg]`` lines of an error log."""
    return [line for line in log.splitlines() if "[emerg]" in line]


def busy_address(log: str) -> str | None:
    """The address that nginx could not bind, if that is what it complains of."""
    match = _BUSY.search(log)
    return match.group(1) if match else None


def worker_state(title: str) -> str | None:
    """``active`` or ``draining`` from a process title; None for what is no worker."""
    if "nginx: worker process" not in title:
        return None
    return "draining" if "shutting down" in title else "active"
