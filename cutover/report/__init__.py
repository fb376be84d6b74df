"""Journal and events -> what people and programs read."""

from __future__ import annotations

import os
import sys

from cutover.report.console import Console
from cutover.report.live import LiveView
from cutover.report.narrator import Narrator
from cutover.report.outlet import Outlet
from cutover.report.views import NdjsonView, PlainView, View


def open_sink(*, as_json: bool, color: bool, verbose: bool) -> Console:
    """Who shows events: NDJSON with the lines on standard error, a live view on a terminal, or plain lines."""
    narrator = Narrator(verbose=verbose)

    def views() -> list[View]:
        out = Outlet(sys.stdout)
        if as_json:
            return [NdjsonView(out), PlainView(Outlet(sys.stderr), narrator)]
        if out.isatty() and os.environ.get("TERM", "dumb") != "dumb":
            return [LiveView(out, narrator, color=color)]
        return [PlainView(out, narrator)]

    return Console(views, narrator)
