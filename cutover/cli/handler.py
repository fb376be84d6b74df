"""Errors become one line for people, one line of JSON where that was asked, and an exit code."""

from __future__ import annotations

import json
import os
import signal
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager

from cutover.errors import EXIT_DEFECT, CutoverError, PlanError
from cutover.redact import redact, redact_data

SIGNAL_BASE = 128
_STANDARD = (1, 2)
"""The descriptors of standard output and standard error."""


@contextmanager
def handled() -> Iterator[None]:
    try:
        yield
        sys.stdout.flush()
    except CutoverError as error:
        tell(error)
        _leave(error.exit_code)
    except BrokenPipeError:
        _leave_unseen()
    except KeyboardInterrupt:
        _leave(SIGNAL_BASE + signal.SIGINT)
    except Exception as error:  # noqa: BLE001 - the one place that catches what nobody foresaw
        if _is_loss(error):
            _leave_unseen()
        _tell_defect(error)
        _leave(EXIT_DEFECT)


def tell(error: CutoverError) -> None:
    """The message and the hint, on standard error; as JSON too where ``--json`` was given."""
    if "--json" in sys.argv[1:]:
        _print(sys.stdout, json.dumps(redact_data(_as_json(error))))
    prefix = "" if isinstance(error, PlanError) else "error: "
    _print(sys.stderr, redact(f"{prefix}{error.message}"))
    if error.hint:
        _print(sys.stderr, redact(f"hint: {error.hint}"))
    if isinstance(error.__cause__, Exception) and error.exit_code == EXIT_DEFECT:
        _print(sys.stderr, f"the traceback is in {_log(error.__cause__)}")


def _is_loss(error: Exception) -> bool:
    """Whether it comes of a terminal that is gone, and not of a disk that says the same."""
    from cutover.report.outlet import LOST, is_lost  # noqa: PLC0415 - only an error needs it

    return isinstance(error, OSError) and error.errno in LOST and any(map(is_lost, _STANDARD))


def _as_json(error: CutoverError) -> dict[str, object]:
    data: dict[str, object] = {
        "event": "Error", "message": error.message, "hint": error.hint, "exit_code": error.exit_code,
    }  # fmt: skip
    if isinstance(error, PlanError):
        data["mistakes"] = [vars(mistake) for mistake in error.mistakes]
    return data


def _tell_defect(error: Exception) -> None:
    _print(sys.stderr, redact(f"error: a defect of cutover: {type(error).__name__}: {error}"))
    _print(sys.stderr, f"nothing was being changed; the traceback is in {_log(error)}")


def _log(error: Exception) -> str:
    """Append the redacted traceback to ``errors.log`` in the state home; where, or why not."""
    from cutover.paths import state_home  # noqa: PLC0415 - only a defect needs it

    path = state_home() / "errors.log"
    text = redact("".join(traceback.format_exception(error)))
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        with os.fdopen(descriptor, "a") as log:
            log.write(text)
    except OSError as problem:
        return f"nowhere ({problem}):\n{text}"
    return str(path)


def _print(stream: object, text: str) -> None:
    try:
        print(text, file=stream, flush=True)  # type: ignore[call-overload]
    except OSError:
        _silence()


def _silence() -> None:
    """Nobody reads any more: keep the interpreter from failing again when it flushes at exit."""
    null = os.open(os.devnull, os.O_WRONLY)
    for descriptor in _STANDARD:
        os.dup2(null, descriptor)


def _leave_unseen() -> None:
    """The terminal or pipe has gone. A signal may still come of that, which would be another end than ours."""
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    _silence()
    _leave(SIGNAL_BASE + signal.SIGHUP)


def _leave(code: int) -> None:
    try:
        sys.stdout.flush()
    except OSError:
        _silence()
    sys.exit(code)
