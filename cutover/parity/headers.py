"""Headers: which say nothing, which may move, which must not weaken; every other one is compared."""

from __future__ import annotations

from collections import Counter

from cutover.parity.answers import Answer, parse_content_type
from cutover.parity.cookies import compare_cookies
from cutover.parity.findings import ABSENT, Findings, Kind, Level
from cutover.parity.rules import Rules
from cutover.parity.security import SECURITY_HEADERS, weakened

HOP_BY_HOP = frozenset({
    "connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "proxy-connection", "te", "trailer",
    "transfer-encoding", "upgrade",
})  # fmt: skip
MEANINGLESS = HOP_BY_HOP | {"date", "server", "content-length", "x-powered-by", "via"}
VOLATILE = frozenset({
    "etag", "x-request-id", "request-id", "x-correlation-id", "correlation-id", "x-trace-id", "x-b3-traceid",
    "x-b3-spanid", "x-b3-sampled", "b3", "traceparent", "tracestate", "x-amzn-trace-id", "x-amzn-requestid",
    "x-cloud-trace-context",
    "x-runtime", "x-response-time", "x-process-time", "server-timing", "age", "cf-ray",
})  # fmt: skip
TOKEN_LISTS = frozenset({
    "vary", "allow", "cache-control", "access-control-allow-methods", "access-control-allow-headers",
    "access-control-expose-headers", "accept-ranges", "content-language",
})  # fmt: skip
MAY_GROW = frozenset({
    "vary", "allow", "access-control-allow-methods", "access-control-allow-headers", "access-control-expose-headers",
})  # fmt: skip
CORS_STRICT = frozenset({"access-control-allow-origin", "access-control-allow-credentials"})
_ELSEWHERE = frozenset({"location", "content-type", "content-encoding", "set-cookie"})
_METHOD_NOT_ALLOWED = 405
_NO_CONTENT = 204


def compare_headers(old: Answer, new: Answer, rules: Rules, findings: Findings) -> None:
    """Everything but Location, which belongs to redirects."""
    ours, theirs = old.by_name(), new.by_name()
    ignored = _ignored(ours, theirs, rules)
    if "content-type" not in ignored:
        compare_content_type(old, new, findings)
    if "set-cookie" not in ignored:
        compare_cookies(old.values("set-cookie"), new.values("set-cookie"), findings)
    if old.encoding != new.encoding:
        findings.add(
            Kind.HEADER, "Content-Encoding", old.encoding or ABSENT, new.encoding or ABSENT,
            level=Level.NOTE, message="decoded bodies are compared",
        )  # fmt: skip
    if old.http_version != new.http_version:
        findings.add(Kind.HEADER, "HTTP version", old.http_version, new.http_version, level=Level.NOTE)
    for name in sorted((ours.keys() | theirs.keys()) - MEANINGLESS - _ELSEWHERE - ignored):
        if ours.get(name) != theirs.get(name):
            _compare(name, ours.get(name), theirs.get(name), old.status, findings)


def _ignored(ours: dict[str, Counter[str]], theirs: dict[str, Counter[str]], rules: Rules) -> frozenset[str]:
    present = ours.keys() | theirs.keys()
    for name in rules.options.ignore_headers:
        if name.lower() in present:
            rules.used.add(("ignore_headers", name))
    return frozenset(name.lower() for name in rules.options.ignore_headers)


def _compare(name: str, old: Counter[str] | None, new: Counter[str] | None, status: int, findings: Findings) -> None:
    level, message = _judge(name, old, new, status)
    if level is None:
        return
    title = name.title()
    findings.add(
        Kind.HEADER, title, _shown(old), _shown(new), level=level, message=message, cure=f"ignore_headers: [{title}]"
    )


def _judge(name: str, old: Counter[str] | None, new: Counter[str] | None, status: int) -> tuple[Level | None, str]:
    """``None`` for no finding, and why."""
    if name in CORS_STRICT:
        return Level.FAIL, "who may read the answer changed"
    if old is None or new is None:
        return _judge_presence(name, old, status, added=old is None)
    if name in TOKEN_LISTS:
        return _judge_tokens(name, old, new)
    if name in SECURITY_HEADERS:
        worse = weakened(name, list(old.elements()), list(new.elements()))
        return (Level.FAIL, "weakened") if worse else (Level.NOTE, "changed, not weakened")
    return (None if name in VOLATILE else Level.FAIL), ""


def _judge_presence(name: str, old: Counter[str] | None, status: int, *, added: bool) -> tuple[Level | None, str]:
    if name == "allow" and status != _METHOD_NOT_ALLOWED:
        return None, ""
    if added:
        harmless = name in SECURITY_HEADERS or name in MAY_GROW or name.startswith("access-control-")
        return (Level.NOTE if harmless else Level.WARN), "added"
    by_encoding_only = name == "vary" and _tokens(old) <= {"accept-encoding"}
    return (Level.NOTE if by_encoding_only else Level.FAIL), "removed"


def _judge_tokens(name: str, old: Counter[str], new: Counter[str]) -> tuple[Level | None, str]:
    ours, theirs = _tokens(old), _tokens(new)
    if name == "vary":
        ours, theirs = ours - {"accept-encoding"}, theirs - {"accept-encoding"}
    if ours == theirs:
        return None, ""
    if name in MAY_GROW and (ours <= theirs or "*" in theirs):
        return Level.NOTE, f"added {', '.join(sorted(theirs - ours))}"
    gone = ", ".join(sorted(ours - theirs))
    return Level.FAIL, f"lost {gone}" if gone else f"gained {', '.join(sorted(theirs - ours))}"


def _tokens(values: Counter[str] | None) -> set[str]:
    return {t.strip().lower() for value in values or () for t in value.split(",") if t.strip()}


def _shown(values: Counter[str] | None) -> object:
    if values is None:
        return ABSENT
    listed = list(values.elements())
    return listed[0] if len(listed) == 1 else listed


def compare_content_type(old: Answer, new: Answer, findings: Findings) -> None:
    """The media type is strict, on errors too; for JSON, UTF-8 is what no charset means."""
    one, other = (answer.values("content-type") for answer in (old, new))
    ours, theirs = (Counter(map(_meant, values)) for values in (one, other))
    if ours == theirs:
        return
    media_types = [sorted(media_type for media_type, _ in meant.elements()) for meant in (ours, theirs)]
    if len(one) != len(other) and one and other:
        message = "sent more than once"
    else:
        message = "its parameters differ" if media_types[0] == media_types[1] else ""
    level = Level.NOTE if _unread(old) and _unread(new) else Level.FAIL
    findings.add(
        Kind.HEADER, "Content-Type", ", ".join(one) or ABSENT, ", ".join(other) or ABSENT,
        level=level, message=message, cure="ignore_headers: [Content-Type]",
    )  # fmt: skip


def _meant(value: str) -> tuple[str, frozenset[tuple[str, str]]]:
    """The boundaries of a multipart body are its own."""
    media_type, parameters = parse_content_type(value)
    if media_type.startswith("multipart/"):
        return media_type, frozenset()
    if is_json(media_type) and parameters.get("charset") in {"utf-8", "utf8"}:
        del parameters["charset"]
    return media_type, frozenset(parameters.items())


def _unread(answer: Answer) -> bool:
    """A client that goes elsewhere does not read the body of a redirect, and a 204 has none."""
    return answer.is_redirect or answer.status == _NO_CONTENT


def is_json(media_type: str) -> bool:
    return media_type == "application/json" or media_type.endswith("+json") or media_type == "text/json"
