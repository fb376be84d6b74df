"""One request's two answers, compared whole: status, headers, body."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from cutover.parity.answers import Answer
from cutover.parity.brief import excerpt
from cutover.parity.compare import compare_documents, compare_shapes, drop_ignored
from cutover.parity.document import InvalidJsonError, NotComparableError, parse, same
from cutover.parity.findings import ABSENT, Findings, Kind, Level
from cutover.parity.headers import compare_headers, is_json
from cutover.parity.jsonpath import lookup, quoted
from cutover.parity.matched import may_note, note_head, note_matches
from cutover.parity.origins import SideName
from cutover.parity.plaintext import PREFIX, differing_words, is_text
from cutover.parity.redirects import compare_location, only_a_slash, same_target_status
from cutover.parity.rules import Rules
from cutover.parity.terms import Terms
from cutover.plan.request import SAFE_METHODS

_CLIENT_ERROR = 400
_SERVER_ERROR = 500
_REFUSED = frozenset({401, 403})
_SHOWN_BYTES = 200


@dataclass(frozen=True, slots=True)
class Asked:
    """What both sides were asked; ``path`` is old's."""

    method: str
    path: str

    @property
    def reads(self) -> bool:
        return self.method in SAFE_METHODS


@dataclass(slots=True)
class Compared:
    """``used`` are the ignore rules that matched; ``emptied``: they left nothing of the body."""

    findings: Findings = field(default_factory=Findings)
    used: set[tuple[str, str]] = field(default_factory=set)
    emptied: bool = False


def compare_answers(old: Answer, new: Answer, asked: Asked, terms: Terms) -> Compared:
    """Raises ``NotComparableError``."""
    rules = terms.rules
    compared = Compared(used=rules.used)
    findings = compared.findings
    note_head(old.status, (asked.path, *old.values("location"), *old.hops), rules)
    if not _same_status(old, new, asked, rules, findings):
        return compared
    compare_headers(old, new, rules, findings)
    if "location" not in {name.lower() for name in rules.options.ignore_headers}:
        compare_location(old, new, terms.origins, asked.path, findings)
    if asked.method != "HEAD" and not old.is_redirect:
        _compare_bodies(old, new, terms, compared)
    return compared


def _same_status(old: Answer, new: Answer, asked: Asked, rules: Rules, findings: Findings) -> bool:
    if old.status == new.status:
        if old.status >= _SERVER_ERROR:
            message = "both sides fail: nothing of use is compared"
            findings.add(Kind.STATUS, "status", old.status, new.status, level=Level.WARN, message=message)
        return True
    if rules.options.status_map.get(old.status) == new.status:
        return True
    if old.is_redirect and new.is_redirect and rules.options.redirects == "same_target":
        if same_target_status(old.status, new.status, asked.method):
            return True
        message = f"a client's {asked.method} becomes a GET on one side only"
        findings.add(Kind.STATUS, "status", old.status, new.status, message=message)
        return False
    slash = not old.is_redirect and only_a_slash(new, asked.path)
    message = "new redirects to the same path but for a slash" if slash else ""
    findings.add(Kind.STATUS, "status", old.status, new.status, message=message, cure=_status_cure(old, new, asked))
    return False


def _status_cure(old: Answer, new: Answer, asked: Asked) -> str:
    if old.is_redirect and new.is_redirect:
        return "redirects: same_target" if same_target_status(old.status, new.status, asked.method) else ""
    if old.is_redirect or new.is_redirect:
        to_a_login = {old.status, new.status} & _REFUSED
        return "redirects: follow" if asked.reads and not to_a_login else ""
    alike = (old.status < _CLIENT_ERROR) == (new.status < _CLIENT_ERROR)
    new_fails = old.status < _SERVER_ERROR <= new.status
    return f"status_map: {{{old.status}: {new.status}}}" if alike and not new_fails else ""


def _compare_bodies(old: Answer, new: Answer, terms: Terms, compared: Compared) -> None:
    is_error = old.status >= _CLIENT_ERROR
    mode = terms.rules.options.error_body if is_error else "strict"
    if mode == "ignore":
        return
    if old.body is new.body or old.body == new.body:
        _note_used_rules(old, terms, compared)
        return
    found = _bodies(old, new, terms, compared, shape=mode == "shape")
    if is_error and mode is None:
        found = found.at_most(Level.WARN)
        for tally in found.tallies.values():
            tally.cure = tally.cure or "error_body: ignore"
    compared.findings.merge(found)


def _bodies(old: Answer, new: Answer, terms: Terms, compared: Compared, *, shape: bool) -> Findings:
    if not (_holds_json(old) and _holds_json(new)):
        if terms.rules.ignore.found:
            terms.rules.use(terms.rules.ignore)
            compared.emptied = True
            return Findings()
        return _compare_bytes(old, new, terms.rules)
    documents: dict[SideName, Any] = {}
    findings = Findings()
    invalid: list[str] = []
    sides: tuple[tuple[SideName, Answer], ...] = (("old", old), ("new", new))
    for side, answer in sides:
        try:
            documents[side] = _unwrapped(parse(answer.body), side, terms.rules)
        except InvalidJsonError as error:
            invalid.append(f"{side}: invalid JSON: {error}")
    if invalid:
        findings.add(Kind.BODY, "$", *_texts(old, new), message="; ".join(invalid))
        return findings
    note_matches(documents["old"], old, terms)
    note_matches(documents["new"], new, terms)
    if shape:
        return compare_shapes(documents["old"], documents["new"], terms)
    if _equal(documents["old"], documents["new"]):
        if may_note(old, terms.rules):
            compared.emptied = drop_ignored(documents["old"], terms.rules, terms.budget).emptied
        return findings
    kept = {side: drop_ignored(document, terms.rules, terms.budget) for side, document in documents.items()}
    compared.emptied = kept["old"].emptied
    return compare_documents(kept["old"].document, kept["new"].document, terms)


def _equal(old: Any, new: Any) -> bool:
    """With all that is ignored: what is too deep for that may be dropped yet."""
    try:
        return same(old, new)
    except NotComparableError:
        return False


def _note_used_rules(answer: Answer, terms: Terms, compared: Compared) -> None:
    if not may_note(answer, terms.rules) or not _holds_json(answer):
        return
    try:
        whole = parse(answer.body)
        _unwrapped(whole, "new", terms.rules)
        document = _unwrapped(whole, "old", terms.rules)
        note_matches(document, answer, terms)
        compared.emptied = drop_ignored(document, terms.rules, terms.budget).emptied
    except (InvalidJsonError, NotComparableError):
        return


def _unwrapped(document: Any, side: SideName, rules: Rules) -> Any:
    path = getattr(rules.options.unwrap, side)
    if path is None:
        return document
    try:
        inner = lookup(document, path)
    except KeyError:
        return document
    rules.used.add(("unwrap", f"{side}: {path}"))
    return inner


def _holds_json(answer: Answer) -> bool:
    if answer.media_type:
        return is_json(answer.media_type)
    return answer.body[:_SHOWN_BYTES].lstrip()[:1] in {b"{", b"["}


def _compare_bytes(old: Answer, new: Answer, rules: Rules) -> Findings:
    findings = Findings()
    if not old.body or not new.body:
        message = "the body is empty on one side"
        findings.add(Kind.LENGTH, "$", len(old.body), len(new.body), message=message)
        return findings
    if is_text(old.media_type) and is_text(new.media_type):
        words = differing_words(old.body, new.body)
        for word in words or ():
            name = word.path.removeprefix(PREFIX)
            if name in rules.options.ignore_text:
                rules.used.add(("ignore_text", name))
            else:
                findings.add(Kind.VALUE, word.path, word.old, word.new, cure=f"ignore_text: [{quoted(name)}]")
        if words:
            return findings
    one, other = _texts(old, new)
    message = f"not compared as JSON ({old.media_type or 'no type'}, {new.media_type or 'no type'})"
    findings.add(Kind.BODY, "$", one, other, message=message)
    return findings


def _texts(old: Answer, new: Answer) -> tuple[Any, Any]:
    """The stretch of both bodies around the first byte that differs, for people."""
    first = _first_difference(old.body, new.body)
    start = max(0, first - _SHOWN_BYTES // 4)
    shown = [excerpt(a.body, start, _SHOWN_BYTES) for a in (old, new)]
    return (shown[0] or ABSENT), (shown[1] or ABSENT)


def _first_difference(old: bytes | bytearray, new: bytes | bytearray) -> int:
    """The place of the first byte that differs, or where the shorter one ends."""
    same, other = 0, min(len(old), len(new))
    while same < other:
        middle = (same + other + 1) // 2
        if old[same:middle] == new[same:middle]:
            same = middle
        else:
            other = middle - 1
    return same
