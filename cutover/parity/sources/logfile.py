"""Lines of log files of any size, packed or not, in fixed memory."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedIOBase
from pathlib import Path
from threading import Event

from cutover.parity.sources.drawn import source_mistake

BLOCK_BYTES = 256 * 1024
MAX_LINE_BYTES = 64 * 1024
_GZIP = b"\x1f\x8b"
_OTHER_PACKERS = {b"\xfd7zXZ": "xz", b"BZh": "bzip2", b"\x28\xb5\x2f\xfd": "zstd", b"PK\x03\x04": "zip"}
_MAGIC_BYTES = 6


def read_lines(file: Path, stop: Event) -> Iterator[bytes | None]:
    """Lines without their ends; None for one that is longer than ``MAX_LINE_BYTES``. Ends early once ``stop`` is set.

    A packed file is told by how it begins; one of several members (``cat a.gz b.gz``) is read whole. Raises
    ``PydanticCustomError`` where the file can't be read to its end.
    """
    with _open(file) as source:
        rest, skipping = b"", False
        while block := source.read(BLOCK_BYTES):
            if stop.is_set():
                return
            *lines, rest = (rest + block).split(b"\n")
            for line in lines:
                yield None if skipping or len(line) > MAX_LINE_BYTES else line
                skipping = False
            if skipping or len(rest) > MAX_LINE_BYTES:
                rest, skipping = b"", True
        if rest or skipping:
            yield None if skipping else rest


@contextmanager
def _open(file: Path) -> Iterator[BufferedIOBase]:
    try:
        with file.open("rb") as raw:
            magic = raw.peek(_MAGIC_BYTES)[:_MAGIC_BYTES]
            for begin, packer in _OTHER_PACKERS.items():
                if magic.startswith(begin):
                    raise source_mistake(
                        f"{file} is packed by {packer}: unpack it first; plain files and gzip are read"
                    )
            if magic.startswith(_GZIP):
                with gzip.GzipFile(fileobj=raw) as unpacked:
                    yield unpacked
            else:
                yield raw
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        cure = f"to use what can be read of it: gzip -cd {file.name} > access.log"
        raise source_mistake(f"{file} is damaged: {error}; {cure}") from None
    except OSError as error:
        raise source_mistake(f"{file} can't be read: {error.strerror or error}") from None
