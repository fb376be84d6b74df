"""A plan's text as it stands in its file: small, regular, UTF-8."""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path

from cutover.errors import Mistake, PlanError

MAX_PLAN_BYTES = 1024 * 1024
_NOT_TEXT = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_UTF_16 = (b"\xff\xfe", b"\xfe\xff")


def read_plan(path: Path) -> str:
    """The text of a plan, without a byte order mark; raises ``PlanError`` for whatever is no plan's file."""
    content = _read(path)
    if content.startswith(_UTF_16):
        raise refusal(path, "the file is UTF-16", "save it as UTF-8")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line, column = position(content[: error.start].decode("utf-8", "replace"), None)
        raise PlanError(
            [Mistake(str(path), line, column, "", "the file is not UTF-8 text", "is this a plan?")]
        ) from None
    if odd := _NOT_TEXT.search(text):
        line, column = position(text, odd.start())
        message = f"the file holds the control character U+{ord(odd.group()):04X}"
        raise PlanError([Mistake(str(path), line, column, "", message, "is this a plan?")])
    return text


def _read(path: Path) -> bytes:
    try:
        # Opening a FIFO would wait for its writer.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
    except FileNotFoundError:
        raise refusal(path, "there is no such file", "name one with --plan, or write one with: cutover init") from None
    except (OSError, ValueError) as error:
        raise refusal(path, f"the file can't be opened: {getattr(error, 'strerror', None) or error}") from None
    try:
        mode = os.fstat(descriptor).st_mode
        if stat.S_ISDIR(mode):
            raise refusal(path, "this is a folder, not a plan", "name the file in it")
        if not stat.S_ISREG(mode):
            raise refusal(path, "this is not a regular file", "write the plan into a file of its own")
        content = _up_to(descriptor, MAX_PLAN_BYTES + 1)
    except OSError as error:
        raise refusal(path, f"the file can't be read: {error.strerror}") from None
    finally:
        os.close(descriptor)
    if len(content) > MAX_PLAN_BYTES:
        raise refusal(path, f"the file is larger than {MAX_PLAN_BYTES // 1024} kB", "is this a plan?")
    return content


def _up_to(descriptor: int, limit: int) -> bytes:
    content = b""
    while len(content) < limit and (part := os.read(descriptor, limit - len(content))):
        content += part
    return content


def position(text: str, index: int | None) -> tuple[int, int]:
    """Line and column, from 1, of an index into a text; of its end if there is no index."""
    before = text[:index].replace("\r\n", "\n").replace("\r", "\n")
    return before.count("\n") + 1, len(before) - (before.rfind("\n") + 1) + 1


def refusal(path: Path, message: str, hint: str | None = None) -> PlanError:
    """The one mistake of a file that is not looked into any further."""
    return PlanError([Mistake(str(path), 0, 0, "", message, hint)])
