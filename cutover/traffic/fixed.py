"""The fast way to read: lines that are, byte for byte, as cutover's own log format writes them (templates/nginx).

One regular expression goes over all of them, and what many lines share is looked at once. A line that does not fit
entirely is left to those who read any JSON: it means the same in both ways.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import NamedTuple

from cutover.traffic.groups import Groups, Key

# Without a backslash nothing in it is escaped, and a quote ends it.
_TEXT = rb'[^"\\\x00-\x1f]*+'
# A quote or a backslash in a path, which scanners like to send; of no matter unless a prefix has one.
_ESCAPED = rb'(?:\\["\\]' + _TEXT + rb")*+"
_SECONDS = rb"(?:0|[1-9]\d*+)\.\d{3}"
_BEFORE = (
    rb'\{"time":"%(text)s","msec":%(seconds)s,"method":"%(text)s","uri":"(%(prefixes)s)%(text)s%(escaped)s",'
    rb'"request_time":%(seconds)s,"upstream_response_time":"(%(text)s)",'
)
_SHARED = (
    rb'"status":([1-9]\d\d),"upstream_addr":"(%(text)s)","upstream_status":"(%(text)s)",'
    rb'"route":"(%(text)s)","side":"(%(text)s)","fallback":"(%(text)s)","override":"(%(text)s)","bucket":"(\d*+)",'
    rb'"revision":"(%(text)s)","probe":"(%(text)s)"\}'
)
_STRICT = rb"(?m)^(?:" + _BEFORE + b"(" + re.sub(rb"(?<!%)\((?!\?)", b"(?:", _SHARED) + b")|(.*))\n"
# What is the same in many lines is taken as it stands, for it is cheaper to look at it afterwards, once.
_QUICK = rb"(?m)^(?:" + _BEFORE + rb"(.*)|(.*))\n"
_SHARED_FIELDS = re.compile(_SHARED.replace(b"%(text)s", _TEXT))

_Raw = tuple[bytes, bytes]
_REST = 2
_MISFIT: _Raw = (b"", b"")


class Fixed(NamedTuple):
    """``others``: the lines that do not fit, in their order, without what ends them."""

    lines: int
    others: list[bytes]


def read_fixed(data: bytes, prefixes: Sequence[str], groups: Groups) -> Fixed:
    """Whole lines, each ended by a newline; those that fit go into ``groups``. ``prefixes``: the longest first."""
    lines = _pattern(_QUICK, tuple(prefixes)).findall(data)
    times = _parted(lines)
    misfits = times.pop(_MISFIT, ())
    keys = list(map(_key, times))
    if None in keys:
        lines = _pattern(_STRICT, tuple(prefixes)).findall(data)
        times = _parted(lines)
        misfits = times.pop(_MISFIT, ())
        keys = list(map(_key, times))
    by_key: defaultdict[Key, list[bytes]] = defaultdict(list)
    for known, took in zip(keys, times.values(), strict=True):
        assert known is not None  # noqa: S101 - the strict pattern takes nothing else
        key, bucket = known
        by_key[key] += took
        if bucket:
            groups[key].buckets[bucket] += len(took)
    for key, took in by_key.items():
        times_of = groups[key].times
        for text, count in Counter(took).items():
            times_of[_decoded(text)] += count
    return Fixed(len(lines) - len(misfits), [line[-1] for line in lines if not line[_REST]] if misfits else [])


@lru_cache(maxsize=16)
def _pattern(pattern: bytes, prefixes: tuple[str, ...]) -> re.Pattern[bytes]:
    escaped = b"|".join(re.escape(prefix.encode(errors="surrogateescape")) for prefix in (*prefixes, ""))
    more = b"" if any(character in prefix for prefix in prefixes for character in '"\\') else _ESCAPED
    return re.compile(pattern % {b"text": _TEXT, b"seconds": _SECONDS, b"prefixes": escaped, b"escaped": more})


def _parted(lines: Iterable[tuple[bytes, ...]]) -> defaultdict[_Raw, list[bytes]]:
    """Response times by what else counts of a line; those of lines that do not fit are empty, under ``_MISFIT``."""
    times: defaultdict[_Raw, list[bytes]] = defaultdict(list)
    for prefix, took, rest, _ in lines:
        times[prefix, rest].append(took)
    return times


@lru_cache(maxsize=8192)
def _key(raw: _Raw) -> tuple[Key, str] | None:
    """With the bucket of clients; None where the line does not fit after all."""
    prefix, rest = raw
    found = _SHARED_FIELDS.fullmatch(rest)
    if found is None:
        return None
    status, addresses, statuses, route, side, fallback, override, bucket, revision, probe = map(
        _decoded, found.groups()
    )
    said = addresses, statuses, int(status), side, fallback, route, override, revision, probe
    return Key(*said, prefix=_decoded(prefix)), bucket


def _decoded(raw: bytes) -> str:
    return raw.decode(errors="replace")
