"""Runs the command line with a defect in it: ``defective.py check|check,rollback|change ARGS...``.

``check``: every http check of ``/defect`` fails with an exception that nobody foresaw, whose text has the headers sent.
``rollback``: so does, from then on, every change of the proxy. ``change``: from the beginning.
"""

from __future__ import annotations

import sys
from typing import Any

from cutover.checks.http import Http
from cutover.cli import main
from cutover.proxy import NginxProxy

defects = sys.argv[1].split(",")
sys.argv = ["cutover", *sys.argv[2:]]
run = Http.run


async def broken_change(self: NginxProxy, *args: Any, **kwargs: Any) -> Any:
    raise KeyError("a change that nobody foresaw")


async def broken_run(self: Http, ctx: Any) -> Any:
    if self.path != "/defect":
        return await run(self, ctx)
    if "rollback" in defects:
        NginxProxy.change = broken_change  # type: ignore[method-assign]
    raise RuntimeError(f"nobody foresaw {ctx.target(self.backend).headers}")


if "change" in defects:
    NginxProxy.change = broken_change  # type: ignore[method-assign]
Http.run = broken_run  # type: ignore[method-assign]
main()
