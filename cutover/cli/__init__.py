"""The command line: options, one call, and the only place that catches errors."""

from __future__ import annotations


def main() -> None:
    """Entry point of the ``cutover`` command."""
    from cutover.cli.app import app  # noqa: PLC0415 - the handler must stand before anything can fail
    from cutover.cli.handler import handled  # noqa: PLC0415

    with handled():
        app(prog_name="cutover")
