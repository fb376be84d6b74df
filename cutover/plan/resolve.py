"""From a plan's tree to its data: variables filled in, secrets found, and the same once more with secrets masked."""

from __future__ import annotations

from collections.abc import Mapping as Environment
from dataclasses import dataclass, field
from typing import Any

from cutover.errors import Mistake
from cutover.plan.interpolate import Expansion, Scope, TooLargeError, Variables
from cutover.plan.model import ROLLBACK_PHASE
from cutover.plan.nodes import Key, Mapping, Node, Path, Scalar, Sequence, locate, plain, spell
from cutover.plan.saves import ANOTHER_NAME, GATES_KEY, SAVE_KEY, Save, own_saves, saves_in, wrong_saves
from cutover.plan.secrets import (
    BODY_KEYS,
    HEADERS_KEY,
    header_secrets,
    is_secret_header,
    literal_secrets,
    mask_userinfo,
    userinfo_secrets,
    userinfo_variables,
)
from cutover.plan.variables import names_in
from cutover.redact import MASK, MIN_SECRET_LENGTH

# Read as they stand: what says which plan this is must not depend on who runs it.
LITERAL_KEYS = frozenset({"version", "name", "secrets"})
APPROVE = ("approve",)
NOTHING_SAVED = Scope()
MAX_NOTED = 1000
MAX_SECRET_CHARS = 8192


@dataclass(frozen=True)
class Resolved:
    """The data of a plan with every variable filled in.

    ``masked`` is the same with secrets as ``***``, and empty where there are mistakes. ``faulty`` are the places with a
    mistake of their own, ``interpolated`` those whose text came from a variable.
    """

    data: dict[Key, Any]
    masked: dict[Key, Any]
    mistakes: list[Mistake]
    faulty: frozenset[Path]
    interpolated: frozenset[Path]
    secrets: frozenset[str]
    run_variables: tuple[str, ...]


def resolve(root: Mapping, file: str, environ: Environment[str, str]) -> Resolved:
    """Never raises; what is wrong with variables is among the mistakes."""
    saves = saves_in(root)
    open_walk = _Walk(root, file, Variables(environ), saves)
    data = open_walk.plan()
    open_walk.note_saves()
    named = _named_secrets(root)
    names = open_walk.secret_names | named
    masked = (
        {} if open_walk.mistakes else _Walk(root, file, Variables(environ, masked=names), saves, masking=True).plan()
    )
    variables = open_walk.variables
    secrets = set(open_walk.secrets)
    for name in names:
        secrets |= variables.seen.get(name, set())
        secrets |= {value for value in (variables.value(name),) if value}
    return Resolved(
        data,
        masked,
        open_walk.mistakes,
        frozenset(open_walk.faulty),
        frozenset(open_walk.interpolated),
        frozenset(s for s in secrets if len(s) >= MIN_SECRET_LENGTH and not names_in(s, open_walk.saved)),
        tuple(open_walk.saved),
    )


def _named_secrets(root: Mapping) -> set[str]:
    node = root.entries["secrets"].node if "secrets" in root.entries else None
    items = node.items if isinstance(node, Sequence) else []
    return {item.value for item in items if isinstance(item, Scalar) and isinstance(item.value, str)}


@dataclass
class _Walk:
    """One pass over the tree. With masked variables, header values and userinfo are masked as well."""

    root: Mapping
    file: str
    variables: Variables
    saves: list[Save]
    mistakes: list[Mistake] = field(default_factory=list)
    faulty: set[Path] = field(default_factory=set)
    interpolated: set[Path] = field(default_factory=set)
    secrets: set[str] = field(default_factory=set)
    secret_names: set[str] = field(default_factory=set)
    masking: bool = False
    scope: Scope = field(default_factory=Scope)
    """What steps save, as seen from the step that is walked through."""
    _full: bool = False

    def __post_init__(self) -> None:
        self.saved: dict[str, str] = {}
        self._by_step: dict[Path, set[str]] = {}
        for save in self.saves:
            self.saved.setdefault(save.name, spell(save.step))
            self._by_step.setdefault(save.step, set()).add(save.name)
        self._forward: set[str] = set()

    def plan(self) -> dict[Key, Any]:
        entries = self.root.entries
        early: dict[Key, Any] = {}
        self.variables.scope = Scope(self.saved)
        if "vars" in entries:
            early["vars"] = self._vars(entries["vars"].node)
        return {key: early[key] if key in early else self._top(key, entry.node) for key, entry in entries.items()}

    def _top(self, key: Key, node: Node) -> Any:
        if key in LITERAL_KEYS:
            return plain(node)
        if key == "phases" and isinstance(node, Mapping):
            return {name: self._steps((key, name), entry.node) for name, entry in node.entries.items()}
        return self._value((key,), node)

    def _vars(self, node: Node) -> Any:
        if not isinstance(node, Mapping):
            return self._value(("vars",), node)
        values: dict[Key, Any] = {}
        for name, entry in node.entries.items():
            path = ("vars", name)
            if isinstance(name, str) and isinstance(entry.node, Scalar) and isinstance(entry.node.value, str):
                text = entry.node.value
                values[name] = self._told(
                    path, text, lambda name=name, text=text: self.variables.define(name, text)
                ).text
            else:
                values[name] = self._value(path, entry.node)
                # The model will ask for quotes; that the variable is not set would be no help.
                self.variables.vars[str(name)] = str(values[name])
        return values

    def _steps(self, path: Path, node: Node) -> Any:
        """A phase. What a step saves at run time is a variable of the steps after it, and of a rollback."""
        if not isinstance(node, Sequence):
            return self._value(path, node)
        after = path[-1] == ROLLBACK_PHASE
        known = {save.name for save in self.saves if save.step[:-1] != path} if after else self._forward
        steps = []
        for number, item in enumerate(node.items):
            place = (*path, number)
            self.scope = Scope(self.saved, known)
            steps.append(self._value(place, item))
            known |= self._by_step.get(place, set())
        return steps

    def _value(self, path: Path, node: Node, *, header: str | None = None, body: bool = False) -> Any:
        if isinstance(node, Sequence):
            return self._items(path, node, header=header, body=body)
        if isinstance(node, Mapping):
            headers = bool(path) and path[-1] == HEADERS_KEY
            return {
                key: self._value(
                    (*path, key),
                    entry.node,
                    header=_header_name(key) if headers else header,
                    body=body or key in BODY_KEYS,
                )
                for key, entry in node.entries.items()
            }
        return self._text(path, node.value, header, body=body) if isinstance(node.value, str) else node.value

    def _items(self, path: Path, node: Sequence, *, header: str | None, body: bool) -> list[Any]:
        """A list. What a request within a step saves is a variable of those after it in its list, and of no others."""
        outer = self.scope
        own = {} if body else self._own_saves(path, node)
        saved = {**outer.saved, **{name: spell((*path, number)) for name, number in own.items()}}
        values = []
        for number, item in enumerate(node.items):
            if own:
                known = {*(outer.usable or ()), *(name for name, saver in own.items() if saver < number)}
                self.scope = Scope(saved, known)
            values.append(self._value((*path, number), item, header=header, body=body))
        self.scope = outer
        return values

    def _own_saves(self, path: Path, node: Sequence) -> dict[str, int]:
        """Which item of a list saves which name."""
        own: dict[str, int] = {}
        for number, item in enumerate(node.items):
            for name in own_saves(item):
                who = self.saved.get(name) or (spell((*path, own[name])) if name in own else None)
                if who is not None:
                    place = (*path, number, SAVE_KEY, name)
                    self._note(place, f"{name!r} is saved by {who} already", ANOTHER_NAME, key=True)
                own.setdefault(name, number)
        return own

    def note_saves(self) -> None:
        for wrong in wrong_saves(self.root, self.saves):
            self._note(wrong.path, wrong.message, wrong.hint, key=True)

    def _seen_from(self, path: Path) -> Scope:
        if path[0] == "backends" and path[2:3] == (HEADERS_KEY,):
            return Scope(self.saved, self.saved)
        shown = path[3:] == ("name",) or (path[4:5] == (GATES_KEY,) and path[6:] == ("name",))
        if path[0] != "phases" or shown or path[3:4] == APPROVE:
            return Scope(self.scope.saved or self.saved)
        return self.scope

    def _text(self, path: Path, raw: str, header: str | None, *, body: bool) -> str:
        self.variables.scope = self._seen_from(path) if self.saves or self.scope.saved else NOTHING_SAVED
        expansion = self._told(path, raw, lambda: self.variables.expand(raw))
        text = expansion.text
        if header is not None:
            self._keep(path, (literal_secrets if expansion.kept else header_secrets)(header, text))
            if self.masking and (len(text) >= MIN_SECRET_LENGTH or MASK in text):
                return MASK
        if header is not None or body:
            self.secret_names |= expansion.names
        if "://" in text:
            self._keep(path, userinfo_secrets(text))
            self._note_userinfo(raw)
            text = mask_userinfo(text) if self.masking else text
        return text

    def _keep(self, path: Path, secrets: set[str]) -> None:
        if max(map(len, secrets), default=0) > MAX_SECRET_CHARS:
            self._note(path, f"a header or userinfo of more than {MAX_SECRET_CHARS} characters", "no server takes it")
        else:
            self.secrets |= secrets

    def _note_userinfo(self, raw: str) -> None:
        for name in userinfo_variables(raw):
            self.secret_names |= {name} | self.variables.uses.get(name, set())

    def _told(self, path: Path, raw: str, expand: Any) -> Expansion:
        """Expand a text, and note what is wrong with it at its place."""
        if self._full:
            return Expansion(raw)
        try:
            expansion: Expansion = expand()
        except TooLargeError:
            self._full = True
            expansion = Expansion(raw)
            self._note(path, "the variables of this plan expand to more than 8 MB", "do they hold one another?")
        self._full = self._full or len(self.mistakes) > MAX_NOTED
        for complaint in expansion.complaints:
            self._note(path, complaint.message, complaint.hint)
        if expansion.unfilled:
            self.faulty.add(path)
        if expansion.names:
            self.interpolated.add(path)
        return expansion

    def _note(self, path: Path, message: str, hint: str | None, *, key: bool = False) -> None:
        found = locate(self.root, path, key=key)
        self.faulty.add(path)
        self.mistakes.append(Mistake(self.file, found.line, found.column, spell(path), message, hint))


def _header_name(key: Key) -> str | None:
    return str(key) if is_secret_header(str(key)) else None
