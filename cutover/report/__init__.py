"""Journal and events -> what people and programs read."""

from __future__ import annotations

import sys

from cutover.report.console import Console
from cutover.report.narrator import Narrator
from cutover.report.outlet import Outlet
from cutover.report.views import NdjsonView, PlainView, View


def open_sink(*, as_json: bool, color: bool, verbose: bool) -> Console:
    """Who shows events: NDJSON with the lines on standard error, a live view on a terminal, or plain lines."""
    narrator = Narrator(verbose=verbose)
    views: list[View]
    if as_json:
        views = [NdjsonView(Outlet(sys.stdout)), PlainView(Outlet(sys.stderr), narrator)]
    else:
        views = [PlainView(Outlet(sys.stdout), narrator)]
    return Console(views, narrator)
