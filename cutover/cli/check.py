"""``cutover check``."""

from __future__ import annotations

from cutover.cli.options import Cli, common


@common
def command(cli: Cli) -> None:
    """Find every mistake in the plan, offline; say what its nginx cannot do."""
    import asyncio  # noqa: PLC0415 - start-up time

    from cutover.engine.losses import losses  # noqa: PLC0415 - start-up time
    from cutover.plan.units import format_count  # noqa: PLC0415 - start-up time

    options = cli.options()
    loaded = options.load()
    plan = loaded.plan
    notes = asyncio.run(losses(options, plan))
    steps = sum(len(steps) for steps in plan.phases.values())
    counted = f"{format_count(len(plan.phases), 'phase')}, {format_count(steps, 'step')}"
    text = f"{cli.plan_file}: no mistakes; plan {plan.name}, {counted}"
    data = {"plan": plan.name, "hash": loaded.hash, "mistakes": [], "notes": notes, "phases": list(plan.phases)}
    cli.show(data, "\n".join([text, *(f"note: {note}" for note in notes)]))
