"""The arrows of ARCHITECTURE.md: who may import whom."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "cutover"
ANYWHERE = {"errors", "redact", "paths", "files", "artifacts", "unreached", ""}
ALLOWED = {
    "plan": set(),
    "hosts": {"plan"},
    "proxy": {"hosts", "plan"},
    "journal": {"plan"},
    "load": {"plan"},
    "openapi": {"plan"},
    "parity": {"openapi", "plan"},
    "traffic": {"plan"},
    "checks": {"load", "openapi", "parity", "traffic", "plan"},
    "actions": {"checks", "plan"},
    "engine": {"openapi", "checks", "actions", "proxy", "hosts", "parity", "traffic", "load", "journal", "plan"},
    "report": {"engine", "journal", "plan"},
    "demo": {"engine", "hosts", "journal", "plan", "report", "cli"},
    "cli": {"engine", "report", "demo", "plan"},
}
REPORT_MAY_READ = {f"cutover.engine.{module}" for module in ("events", "fold", "state", "session", "latest")}


def imports(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("cutover"):
            package = (PACKAGE.parent / node.module.replace(".", "/")).is_dir()
            found.update({f"{node.module}.{n.name}" for n in node.names} if package else {node.module})
        elif isinstance(node, ast.Import):
            found.update(name.name for name in node.names if name.name.startswith("cutover"))
    return found


def layer(module: str) -> str:
    parts = module.split(".")
    return parts[1] if len(parts) > 1 else ""


@pytest.mark.parametrize("package", sorted(ALLOWED))
def test_a_layer_imports_only_what_lies_below_it(package: str) -> None:
    files = list((PACKAGE / package).rglob("*.py"))
    assert files
    allowed = ALLOWED[package] | ANYWHERE | {package, "__version__"}
    wrong = {f"{f.relative_to(PACKAGE)} imports {m}" for f in files for m in imports(f) if layer(m) not in allowed}
    assert wrong == set()


def test_every_package_stands_in_the_table() -> None:
    packages = {p.parent.name for p in PACKAGE.glob("*/__init__.py")}
    assert packages == set(ALLOWED)


def test_reports_read_events_and_state_alone() -> None:
    read = {m for f in (PACKAGE / "report").rglob("*.py") for m in imports(f) if layer(m) == "engine"}
    assert read <= REPORT_MAY_READ
