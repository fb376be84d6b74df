"""The base path that a document's ``servers`` put before its paths.

What is really found there: FastAPI writes ``[{"url": root_path}]`` for a ``root_path`` or a mounted application, and
its paths are relative to that; drf-spectacular and Nest write full paths and no servers, or servers that are a host
alone. An absolute URL counts for its path only: where the service is, the plan says.
"""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import urljoin, urlsplit

_VARIABLE = re.compile(r"\{([^{}]*)\}")


def base_paths(servers: Any, document_path: str) -> list[str]:
    """The base path of each server, without a slash at its end; ``[""]`` where none is given.

    ``document_path`` is the path that the document was read from: relative servers are relative to it.
    """
    bases: dict[str, None] = {}
    for server in servers if isinstance(servers, list) else ():
        url = server.get("url") if isinstance(server, dict) else None
        if isinstance(url, str):
            bases[_base_path(_filled(url, server.get("variables")), document_path)] = None
    return list(bases) or [""]


def _filled(url: str, variables: Any) -> str:
    """The URL with its variables' defaults; a variable without one stays, and is part of the template."""

    def default(match: re.Match[str]) -> str:
        variable = variables.get(match.group(1)) if isinstance(variables, dict) else None
        value = variable.get("default") if isinstance(variable, dict) else None
        return value if isinstance(value, str) else match.group(0)

    return _VARIABLE.sub(default, url)


def _base_path(url: str, document_path: str) -> str:
    try:
        path = urlsplit(urljoin(document_path, url)).path
    except ValueError:
        return ""
    return path.rstrip("/") if path.startswith("/") else ""
