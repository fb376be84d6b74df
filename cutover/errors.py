"""Errors that own their message, their hint and their exit code.

Only ``cutover.cli`` catches them; everything below raises.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

EXIT_OK = 0
EXIT_FAILED = 1
EXIT_USAGE = 2
EXIT_LOCKED = 3
EXIT_WAITING = 4
EXIT_UNSAFE = 5
EXIT_DEFECT = 70


class CutoverError(Exception):
    """What happened, to what, and (``hint``) what to do next."""

    exit_code: ClassVar[int] = EXIT_FAILED

    def __init__(self, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class UsageError(CutoverError):
    """The command is wrong; nothing was touched."""

    exit_code = EXIT_USAGE


@dataclass(frozen=True)
class Mistake:
    """One mistake in a plan. Lines and columns count from 1; 0 where the file as a whole is meant."""

    file: str
    line: int
    column: int
    path: str
    message: str
    hint: str | None = None

    def __str__(self) -> str:
        where = f"{self.file}:{self.line}:{self.column}" if self.line else self.file
        path = f" {self.path}:" if self.path else ""
        hint = f" ({self.hint})" if self.hint else ""
        return f"{where}:{path} {self.message}{hint}"


class PlanError(UsageError):
    """Every mistake found in a plan, in the order of the file."""

    def __init__(self, mistakes: list[Mistake]) -> None:
        super().__init__("\n".join(map(str, mistakes)))
        self.mistakes = mistakes


class CheckFailedError(CutoverError):
    """A check or gate failed, and traffic is safe: ``message`` says whether it never moved or was rolled back."""

    exit_code = EXIT_FAILED


class ProxyError(CutoverError):
    """The proxy could not be asked or changed; traffic is where it was."""

    exit_code = EXIT_FAILED


class LockedError(CutoverError):
    """Another run holds this plan's lock, or took it from us."""

    exit_code = EXIT_LOCKED


class WaitingError(CutoverError):
    """The run waits for a person."""

    exit_code = EXIT_WAITING


class UnsafeError(CutoverError):
    """Traffic could not be brought to a verified safe state; ``hint`` holds the commands to do it by hand."""

    exit_code = EXIT_UNSAFE
