"""What ``cutover validate`` finds between two ports, and the plan that takes over what its findings propose."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from cutover.parity.endpoints import endpoint
from tests.support.site import Site

Request = Mapping[str, Any]


class Group(NamedTuple):
    level: str
    endpoint: str
    kind: str
    path: str


class Told(NamedTuple):
    """Groups expected for one reason: of one endpoint and kind, at each of ``paths``, with blanks between."""

    level: str
    endpoint: str
    kind: str
    paths: str | tuple[str, ...]
    why: str


def groups_of(*tables: Iterable[Told]) -> set[Group]:
    return {
        Group(told.level, told.endpoint, told.kind, path)
        for table in tables
        for told in table
        for path in (told.paths.split() if isinstance(told.paths, str) else told.paths)
    }


@dataclass(frozen=True)
class Compared:
    """``data`` is the result of the step, as the run keeps it."""

    data: dict[str, Any]

    @property
    def verdict(self) -> str:
        verdict: str = self.data["verdict"]
        return verdict

    @property
    def groups(self) -> set[Group]:
        return {Group(g["level"], g["endpoint"], g["kind"], g["path"]) for g in self.data["details"]["groups"]}

    def group(self, *wanted: str) -> dict[str, Any]:
        """One of ``details.groups``."""
        (found,) = (
            g for g in self.data["details"]["groups"] if (g["level"], g["endpoint"], g["kind"], g["path"]) == wanted
        )
        return dict(found)

    @property
    def noise(self) -> set[tuple[str, str]]:
        return {(moved["endpoint"], moved["path"]) for moved in self.data["details"]["noise"]}

    @property
    def cures(self) -> set[tuple[str, str]]:
        """Endpoint, and the line that is proposed for a finding there."""
        return {(g["endpoint"], g["cure"]) for g in self.data["details"]["groups"] if g["cure"]}


def requests_of(file: Path) -> list[Request]:
    listed = yaml.safe_load(file.read_text())
    split = (one.split(" ") if isinstance(one, str) else one for one in listed)
    return [{"method": one[0], "path": one[1]} if isinstance(one, list) else one for one in split]


def validated(site: Site, requests: Iterable[Request], *, expect: int | None = None) -> Compared:
    """``expect`` is the exit code; without it, 0 or 1."""
    step = {"diff": {"requests": list(requests), "timeout": "30s"}}
    site.write_plan(yaml.safe_dump({"validate": [step]}, width=10_000))
    done = site.cutover("validate", expect=expect)
    assert done.returncode in {0, 1}, done.stderr
    kept = sorted(site.state.glob("runs/*/steps/validate-1/result.json"), key=lambda file: file.stat().st_mtime_ns)
    return Compared(json.loads(kept[-1].read_text()))


def cured(requests: Sequence[Request], compared: Compared) -> list[Request]:
    """Each request with the rules that were proposed for its endpoint."""
    rules = [(where, yaml.safe_load(cure)) for where, cure in sorted(compared.cures)]
    return [_with(request, [rule for where, rule in rules if where == endpoint_of(request)]) for request in requests]


def endpoint_of(request: Request) -> str:
    return endpoint(request.get("method", "GET"), request["path"])


def _with(request: Request, rules: Iterable[Mapping[str, Any]]) -> Request:
    settings = dict(request)
    for rule in rules:
        for option, value in rule.items():
            before = settings.get(option)
            if isinstance(value, list):
                settings[option] = [*(before or []), *(one for one in value if one not in (before or []))]
            elif isinstance(value, dict):
                settings[option] = {**(before or {}), **value}
            else:
                settings[option] = value
    return settings
