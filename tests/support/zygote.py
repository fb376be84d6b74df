"""Runs the command line many times without starting Python as often: a process that has imported it all, and forks.

Reads one JSON line a command from standard input: ``{"args", "cwd", "env", "kill": [when, nth] | null}``. The child
is a process of its own, as real as any, and kills itself with SIGKILL at the nth event: ``before`` it is in the
journal, or ``after`` it is durable and before anything else is done. Answers ``{"code", "out", "err"}``, a negative
code for a signal.
"""

from __future__ import annotations

import itertools
import json
import os
import signal
import sys
import tempfile
from typing import IO, Any

import cutover.cli.app
import cutover.engine.commands
import cutover.engine.overview
import cutover.report  # noqa: F401
from cutover.cli import main
from cutover.journal.sqlite import SqliteJournal


def die_at(when: str, nth: int) -> None:
    counter = itertools.count(1)
    append = SqliteJournal.append

    def append_and_die(self: SqliteJournal, *args: Any, **kwargs: Any) -> Any:
        number = next(counter)
        if number == nth and when == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        recorded = append(self, *args, **kwargs)
        if number == nth:
            os.kill(os.getpid(), signal.SIGKILL)
        return recorded

    SqliteJournal.append = append_and_die  # type: ignore[method-assign]


def child(order: dict[str, Any], out: IO[bytes], err: IO[bytes]) -> None:
    os.chdir(order["cwd"])
    os.environ.clear()
    os.environ.update(order["env"])
    null = os.open(os.devnull, os.O_RDONLY)
    for descriptor, source in ((0, null), (1, out.fileno()), (2, err.fileno())):
        os.dup2(source, descriptor)
    sys.argv = ["cutover", *order["args"]]
    if order["kill"]:
        die_at(*order["kill"])
    main()


def serve() -> None:
    for line in sys.stdin:
        order = json.loads(line)
        with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
            pid = os.fork()
            if pid == 0:
                child(order, out, err)
                os._exit(0)
            code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
            texts = [stream.seek(0) or stream.read().decode() for stream in (out, err)]
        print(json.dumps({"code": code, "out": texts[0], "err": texts[1]}), flush=True)  # noqa: T201 - the answer


if __name__ == "__main__":
    serve()
