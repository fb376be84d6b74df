"""``cutover check``."""

from __future__ import annotations

from cutover.cli.options import Cli, common


@common
def command(cli: Cli) -> None:
    """Find every mistake in the plan, offline."""
    loaded = cli.options().load()
    plan = loaded.plan
    steps = sum(len(steps) for steps in plan.phases.values())
    text = f"{cli.plan_file}: no mistakes; plan {plan.name}, {len(plan.phases)} phases, {steps} steps"
    cli.show({"plan": plan.name, "hash": loaded.hash, "mistakes": [], "phases": list(plan.phases)}, text)
