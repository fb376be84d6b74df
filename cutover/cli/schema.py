"""``cutover schema``."""

from __future__ import annotations

import json

from cutover.cli.options import Cli, common


@common
def command(cli: Cli) -> None:
    """Print the JSON Schema of the plan format, for editors."""
    from cutover.engine.registry import STEP_TYPES  # noqa: PLC0415 - start-up time
    from cutover.plan import plan_schema  # noqa: PLC0415 - start-up time

    schema = plan_schema(STEP_TYPES)
    cli.show(schema, json.dumps(schema, indent=2))
