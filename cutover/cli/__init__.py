"""The command line: options, one call, and the only place that catches errors."""

from __future__ import annotations

import gc

# Python's own, 700, has it look for garbage hundreds of times among what is being imported and stays.
GARBAGE_COLLECTION_THRESHOLD = 20_000


def main() -> None:
    """Entry point of the ``cutover`` command."""
    gc.set_threshold(GARBAGE_COLLECTION_THRESHOLD)
    from cutover.cli.app import app  # noqa: PLC0415 - the handler must stand before anything can fail
    from cutover.cli.handler import handled  # noqa: PLC0415

    try:
        with handled():
            app(prog_name="cutover")
    finally:
        # The interpreter looks for garbage once more when it ends: the operating system takes it all anyway.
        gc.freeze()
