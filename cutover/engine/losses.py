"""What the plan's nginx cannot do, as far as that can be told offline."""

from __future__ import annotations

from cutover.engine.opening import Options
from cutover.errors import ProxyError
from cutover.plan.model import Plan
from cutover.proxy import ProxySpec, open_proxy


async def losses(options: Options, plan: Plan) -> list[str]:
    """Sentences. A container is not asked, and an nginx that is not here is said not to be."""
    if plan.proxy.control.kind == "docker":
        return []
    try:
        proxy = open_proxy(ProxySpec.of(plan), options.state_folder(plan.name), options.templates)
        return await proxy.losses()
    except ProxyError as error:
        return [f"nginx was not asked what it can do: {error.message}"]
