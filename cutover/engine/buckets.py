"""How evenly clients fall into buckets: those behind one address (NAT, a CDN) are one, and weights are coarse."""

from __future__ import annotations

from cutover.engine.observing import LogFile, backends_of
from cutover.errors import CutoverError
from cutover.hosts.base import LogCursor
from cutover.proxy import NginxProxy

NEWEST_BYTES = 16 * 1024 * 1024
LEAST_REQUESTS = 100
WEIGHTS = (1, 10, 25, 50)
COARSE_POINTS = 5.0
"""When new gets so many percentage points more or less of the requests than a weight says, that is worth a note."""


async def evenness(proxy: NginxProxy) -> tuple[bool, str] | None:
    """Whether weights mean what they say, by the newest requests, in a sentence; None where the log says too little."""
    from cutover.traffic.counting import Counting  # noqa: PLC0415 - start-up time

    try:
        log = LogFile(proxy.host, await proxy.access_log())
        end = await log.end()
        data = (await log.read(LogCursor(end.file, max(0, end.offset - NEWEST_BYTES)), NEWEST_BYTES)).data
    except CutoverError:
        return None
    buckets = Counting(backends_of(proxy.spec)).count(data).seen.buckets if data else None
    if not buckets or (requests := buckets.total()) < LEAST_REQUESTS:
        return None
    # The clients of a weight are those of so many buckets, counted from 0.
    shares = [100 * sum(buckets[str(bucket)] for bucket in range(weight)) / requests for weight in WEIGHTS]
    even = all(abs(share - weight) < COARSE_POINTS for share, weight in zip(shares, WEIGHTS, strict=True))
    told = (
        f"of {requests:,} requests in {len(buckets)} of 100 buckets of clients, the fullest has "
        f"{100 * max(buckets.values()) / requests:.0f} %; at weights {', '.join(map(str, WEIGHTS))} new gets "
        f"{', '.join(f'{share:.3g}' for share in shares)} % of requests like these"
    )
    return even, told
