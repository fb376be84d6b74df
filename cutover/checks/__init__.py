"""Checks by their step type, which is also the name of their file."""

from __future__ import annotations

from cutover.checks.base import Check
from cutover.checks.diff import Diff
from cutover.checks.http import Http
from cutover.checks.load import Load
from cutover.checks.metrics import Metrics
from cutover.checks.openapi import Openapi
from cutover.checks.tcp import Tcp
from cutover.checks.traffic import Traffic

CHECKS: dict[str, type[Check]] = {
    "http": Http,
    "tcp": Tcp,
    "diff": Diff,
    "openapi": Openapi,
    "load": Load,
    "traffic": Traffic,
    "metrics": Metrics,
}
