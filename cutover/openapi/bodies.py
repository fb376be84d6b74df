"""What an operation is sent and what it answers, old's against new's."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from cutover.openapi.aspects import Direction
from cutover.openapi.differences import Difference, Schemas
from cutover.openapi.operations import Media, Operation, Reply
from cutover.openapi.parameters import Told


def body_changes(old: Operation, new: Operation, schemas: Schemas) -> Iterator[Told]:
    ours, theirs = old.body, new.body
    if ours is None and theirs is not None:
        required = theirs.required
        yield f"body-added{'-required' * required}", "request", f"a body is taken now{', and required' * required}"
    if ours is not None and theirs is None:
        yield "body-removed", "request", "no body is taken any more"
    if ours is None or theirs is None:
        return
    if theirs.required and not ours.required:
        yield "body-became-required", "request", "a body is required now"
    elif ours.required and not theirs.required:
        yield "body-became-optional", "request", "a body is no longer required"
    yield from _media_changes(ours.media, theirs.media, Direction.REQUEST, "request", schemas)


def reply_changes(old: Operation, new: Operation, schemas: Schemas) -> Iterator[tuple[Told, bool]]:
    """Each with whether it is about a success: what errors look like matters less."""
    pairs, lost, added = _paired(old.replies, new.replies)
    for reply in lost:
        if _success(reply, old):
            instead = ", ".join(other.status for other in added if _success(other, new))
            message = f"is no longer answered{f', but {instead}' * bool(instead)}"
            yield ("success-status-removed", reply.status, message), True
        else:
            yield ("other-status-removed", reply.status, "is no longer named"), False
    for reply in added:
        yield ("status-added", reply.status, "is new"), _success(reply, new)
    successes = [reply for reply in lost if _success(reply, old)], [reply for reply in added if _success(reply, new)]
    if len(successes[0]) == len(successes[1]) == 1:
        pairs.append((successes[0][0], successes[1][0]))
    for ours, theirs in pairs:
        success = _success(ours, old)
        for told in _header_changes(ours, theirs, schemas):
            yield told, success
        for told in _media_changes(ours.media, theirs.media, Direction.RESPONSE, ours.status, schemas):
            yield told, success


def _success(reply: Reply, operation: Operation) -> bool:
    """``default`` is the success of an operation that names no other."""
    return reply.success or (reply.status == "default" and not any(other.success for other in operation.replies))


def _paired(
    old: tuple[Reply, ...], new: tuple[Reply, ...]
) -> tuple[list[tuple[Reply, Reply]], list[Reply], list[Reply]]:
    """By status, else by its range, else with ``default``; those of old and of new that are left."""
    theirs = {reply.status: reply for reply in new}
    pairs: list[tuple[Reply, Reply]] = []
    lost: list[Reply] = []
    for reply in old:
        known = (theirs.get(status) for status in (reply.status, f"{reply.status[:1]}XX", "default"))
        partner = next((other for other in known if other is not None), None)
        if partner is None:
            lost.append(reply)
        else:
            pairs.append((reply, partner))
    used = {other.status for _, other in pairs}
    return pairs, lost, [reply for reply in new if reply.status not in used]


def _header_changes(old: Reply, new: Reply, schemas: Schemas) -> Iterator[Told]:
    theirs = {name.lower(): header for name, header in new.headers.items()}
    ours = {name.lower() for name in old.headers}
    for name, header in old.headers.items():
        where = f"{old.status} header {name}"
        other = theirs.get(name.lower())
        if other is None:
            id_ = "response-header-removed" if header.required else "response-optional-header-removed"
            yield id_, where, "is gone"
            continue
        if header.required and not other.required:
            yield "response-optional-header-removed", where, "was always there, may be missing now"
        for difference in schemas.differences(header.schema, other.schema, Direction.RESPONSE, wire=True):
            yield difference.id, where, difference.message
    for name in new.headers:
        if name.lower() not in ours:
            yield "response-header-added", f"{old.status} header {name}", "is new"


def _media_changes(
    old: Mapping[str, Media], new: Mapping[str, Media], direction: Direction, where: str, schemas: Schemas
) -> Iterator[Told]:
    """A difference that all media types share is told once."""
    partners = {media_type: _partner(media_type, new) for media_type in old}
    told: dict[Difference, str] = {}
    for media_type, partner in partners.items():
        if partner is None:
            verb = "taken" if direction is Direction.REQUEST else "answered"
            yield f"{direction}-media-type-removed", f"{where} {media_type}", f"is no longer {verb}"
            continue
        for difference in schemas.differences(old[media_type].schema, new[partner].schema, direction):
            told.setdefault(difference, media_type)
    for difference, media_type in told.items():
        label = "" if _is_json(media_type) else f" {media_type}"
        yield difference.id, f"{where}{label} {difference.path}", difference.message
    known = {_partner(media_type, old) and media_type for media_type in new}
    for media_type in new:
        if media_type not in known:
            yield f"{direction}-media-type-added", f"{where} {media_type}", "is new"


def _partner(media_type: str, others: Mapping[str, Media]) -> str | None:
    """The same media type, or one that stands for it, or that it stands for."""
    wanted = _bare(media_type)
    if media_type in others:
        return media_type
    for other in others:
        if _bare(other) == wanted:
            return other
    return next(
        (other for other in others if _stands_for(_bare(other), wanted) or _stands_for(wanted, _bare(other))), None
    )


def _bare(media_type: str) -> str:
    return media_type.partition(";")[0].strip()


def _stands_for(pattern: str, media_type: str) -> bool:
    return pattern == "*/*" or (pattern.endswith("/*") and media_type.startswith(pattern[:-1]))


def _is_json(media_type: str) -> bool:
    bare = _bare(media_type)
    return bare.endswith(("/json", "+json"))
