"""``cutover status --watch`` on a terminal: one screen, redrawn in place."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import TracebackType
from typing import IO, TYPE_CHECKING, Any, Self, cast

from cutover.report.looks import Look
from cutover.report.outlet import LOST, Outlet
from cutover.report.status import LABEL_WIDTH, rows, told

if TYPE_CHECKING:
    from rich.console import RenderableType


class Screen:
    """As a context, it takes the whole terminal, and leaves it as it was with the last status below. Raises
    ``BrokenPipeError`` when the terminal has gone; to leave one that has is no error.
    """

    def __init__(self, outlet: Outlet, *, color: bool) -> None:
        from rich.console import Console  # noqa: PLC0415 - start-up time
        from rich.live import Live  # noqa: PLC0415 - start-up time

        self._outlet = outlet
        self._status: Mapping[str, Any] | None = None
        self._console = Console(
            file=cast("IO[str]", outlet), force_terminal=True, no_color=not color, highlight=False, markup=False,
            emoji=False,
        )  # fmt: skip
        self._live = Live(
            console=self._console, screen=True, auto_refresh=False, redirect_stdout=False, redirect_stderr=False,
            get_renderable=self._drawn,
        )  # fmt: skip

    def __enter__(self) -> Self:
        with _noticing_loss():
            self._live.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        # A signal may have come of the loss, before anything was written in vain.
        if self._outlet.is_lost():
            self._outlet.abandon()
        try:
            with _noticing_loss():
                self._leave()
        except BrokenPipeError:
            self._outlet.abandon()
            if error is None:
                raise

    def _leave(self) -> None:
        self._live.stop()
        if self._status is not None:
            self._outlet.write(f"{told(self._status, now=time.time(), levels=Look.of(self._console).levels)}\n")
            self._outlet.flush()

    def show(self, status: Mapping[str, Any]) -> None:
        self._status = status
        self.tick()

    def tick(self) -> None:
        """Again, as the time goes on."""
        with _noticing_loss():
            self._live.refresh()

    def _drawn(self) -> RenderableType:
        from rich.console import Group  # noqa: PLC0415 - start-up time

        if self._status is None:
            return ""
        look = Look.of(self._console)
        shown = rows(self._status, now=time.time(), width=look.width, height=look.height, levels=look.levels)
        return Group(*(look.text(row, LABEL_WIDTH) for row in shown))


@contextmanager
def _noticing_loss() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise BrokenPipeError if error.errno in LOST else error from error
