"""The switch files of a split by client: a folder per weight, and the link ``current`` that leads to one of them."""

from __future__ import annotations

from cutover.hosts.base import Host
from cutover.proxy.spec import ProxySpec


def folder(weight: int) -> str:
    return f"w{weight}"


def files(weight: int) -> dict[str, str]:
    """A file for each of the 100 buckets that goes to new, and the weight for the status."""
    return {**{str(bucket): "" for bucket in range(weight)}, "weight": f"{weight}\n"}


async def prepare(host: Host, spec: ProxySpec, weight: int) -> None:
    """Lay out a weight's files; nobody is led there yet."""
    await host.write_tree(f"{spec.switch_dir}/{folder(weight)}", files(weight))


async def point(host: Host, spec: ProxySpec, weight: int | None) -> None:
    """Send that percentage of clients to new, in one rename; None as if no weight had ever been. Laid out before."""
    if weight is None:
        await host.remove(spec.link)
    else:
        await host.link(spec.link, folder(weight))
