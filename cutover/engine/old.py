"""Whether old can take traffic back: asked before any is sent there without a person's word."""

from __future__ import annotations

import asyncio
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from urllib.parse import urlsplit

from cutover.checks.base import PROBE_HEADER
from cutover.checks.http import Http
from cutover.engine.session import Session
from cutover.plan.request import SAFE_METHODS
from cutover.plan.variables import names_in

OLD_TIMEOUT_S = 3.0
SERVER_ERROR = 500


async def trouble_with_old(session: Session) -> str | None:
    """Why old can't serve; None where it answers, or where nobody knows how to ask it."""
    url, path = _health(session)
    return await asyncio.to_thread(_ask, url, path) if url else None


def _health(session: Session) -> tuple[str, str | None]:
    """Where old is asked: the path of the plan's first ``http`` check that gets it from old, else its port alone."""
    if session.loaded is None:
        return session.proxy.spec.old_url, None
    plan = session.loaded.plan
    for steps in plan.phases.values():
        for step in steps:
            settings = step.settings
            if (
                isinstance(settings, Http)
                and settings.backend == "old"
                and settings.method in SAFE_METHODS
                and not names_in(settings.path, session.loaded.run_variables)
            ):
                return plan.backends.old.url, settings.path
    return plan.backends.old.url, None


def _ask(url: str, path: str | None) -> str | None:
    parts = urlsplit(url)
    kind = HTTPSConnection if parts.scheme == "https" else HTTPConnection
    connection = kind(parts.hostname or "", parts.port, timeout=OLD_TIMEOUT_S)
    try:
        connection.connect()
        if path is None:
            return None
        connection.request("GET", parts.path + path, headers={PROBE_HEADER: "rollback"})
        status = connection.getresponse().status
    except (OSError, HTTPException) as error:
        return f"{url}: {error or type(error).__name__}"
    finally:
        connection.close()
    return f"{url}{path} answers {status}" if status >= SERVER_ERROR else None
