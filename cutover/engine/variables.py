"""What steps have saved: in this process's memory alone, filled into the steps that use it, asked for where it lacks.

A name that is not in memory, as after a restart, or that is older than its step's ``refresh``, is had by asking the
step that saves it again.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar, get_args

from pydantic import TypeAdapter, ValidationError

from cutover.checks.base import BackendName, Check, Result, Target
from cutover.engine.registry import STEP_TYPES
from cutover.errors import CutoverError
from cutover.plan import LoadedPlan
from cutover.plan.model import Plan
from cutover.plan.request import Headers
from cutover.plan.step import Step
from cutover.plan.variables import conceal, fill, names_in
from cutover.redact import redact

GATES_KEY = "gates"
Position = tuple[float, int]
StepT = TypeVar("StepT", bound=Step)


class UnsavedError(CutoverError):
    """A step needs a value that could not be had, or that does not fit where the step uses it."""


@dataclass(frozen=True)
class Values:
    """What one step gets to see: ``names`` are all that steps of the plan save, ``known`` those that it may use."""

    names: frozenset[str] = frozenset()
    known: Mapping[str, Any] = field(default_factory=dict, repr=False)

    def filled(self, step: StepT) -> StepT:
        """The step with its variables replaced, but for its gates: each is filled when it is asked.

        Raises ``UnsavedError`` where a value does not fit, without showing it.
        """
        if not names_in(_own(step), self.names):
            return step
        raw = {**fill(_own(step), self.known)}
        if (gates := _gates(step)) is not None:
            raw[step.type] = {**raw[step.type], GATES_KEY: gates}
        try:
            filled: StepT = TypeAdapter(type(step)).validate_python(raw, context={"step_types": STEP_TYPES})
        except ValidationError as error:
            raise _misfit(error) from None
        return filled

    def plan(self, plan: Plan) -> Plan:
        """The plan with all steps filled that use nothing but what is known, for checks that look at other steps."""
        if not self.known:
            return plan
        phases = {name: [self._filled_if_known(step) for step in steps] for name, steps in plan.phases.items()}
        return plan.model_copy(update={"phases": phases})

    def _filled_if_known(self, step: Step) -> Step:
        return self.filled(step) if names_in(_own(step), self.names) <= self.known.keys() else step

    def target(self, plan: Plan, name: BackendName) -> Target:
        """A backend with its headers, without those that use what is not saved yet.

        Raises ``UnsavedError`` where a value does not fit, and ``CutoverError`` where there is no such backend.
        """
        if name == "proxy":
            return Target(name, plan.proxy.url)
        backend = getattr(plan.backends, name)
        if backend is None:
            raise CutoverError(f"the plan names no {name} backend")
        had = {n: v for n, v in backend.headers.items() if names_in(v, self.names) <= self.known.keys()}
        filled = {n: fill(v, self.known) for n, v in had.items()}
        if filled != had:
            try:
                TypeAdapter(Headers).validate_python(filled)
            except ValidationError as error:
                raise _misfit(error, f"backends.{name}.headers.") from None
        return Target(name, backend.url, filled)


Ask = Callable[[Step, Values], Awaitable[Result]]
"""Asks a step that saves again, once, seeing these values: tells that it does, and keeps to a time limit."""


@dataclass(frozen=True)
class _Saver:
    step: Step
    position: Position


class Variables:
    """The saved values of one process. Offers each step what it needs."""

    def __init__(self, loaded: LoadedPlan | None) -> None:
        self._loaded = loaded
        self._names = frozenset(loaded.run_variables if loaded is not None else ())
        self._known: dict[str, Any] = {}
        self._saved_at: dict[str, float] = {}
        self._lock = asyncio.Lock()
        self._savers = dict(_savers(self._plan)) if self._names else {}

    @property
    def _plan(self) -> Plan:
        assert self._loaded is not None  # noqa: S101 - without a plan there are no names to ask for
        return self._loaded.plan

    def keep(self, saved: Mapping[str, Any]) -> None:
        """Remember what a step saved, and conceal it."""
        conceal(saved)
        self._known.update(saved)
        self._saved_at.update(dict.fromkeys(saved, time.monotonic()))

    async def ready(self, step: Step, ask: Ask, where: tuple[str, int] | None = None) -> Values:
        """What a step may use, with all of it at hand. ``where`` is its phase and index, or those of its gates' step.

        Without ``where`` it stands behind all others. Raises ``UnsavedError``.
        """
        if not self._names:
            return Values()
        position = self._position(*where) if where is not None else (math.inf, 0)
        needed = self._needed(step, position)
        await self.ensure(needed, ask)
        values = self._values(step, position, needed)
        for backend in self._asked(step):
            values.target(self._plan, backend)
        return values

    async def ensure(self, names: Iterable[str], ask: Ask) -> None:
        """Have values of these names that are new enough. Raises ``UnsavedError``."""
        async with self._lock:
            for name in self._in_order(names):
                await self._obtain(name, ask)

    async def _obtain(self, name: str, ask: Ask) -> None:
        saver = self._savers[name]
        if self._is_fresh(name, saver.step):
            return
        needed = self._needed(saver.step, saver.position)
        for other in self._in_order(needed):
            await self._obtain(other, ask)
        values = self._values(saver.step, saver.position, needed)
        result = await _retried(values.filled(saver.step), values, ask)
        if not result.passed:
            raise UnsavedError(f"there is no {name}: {saver.step.title}: {result.summary}")
        self.keep(result.saved)

    def _is_fresh(self, name: str, saver: Step) -> bool:
        refresh = getattr(saver.settings, "refresh", None)
        age = time.monotonic() - self._saved_at.get(name, -math.inf)
        return name in self._known and (refresh is None or age < refresh)

    def _needed(self, step: Step, position: Position) -> set[str]:
        """The names that a step uses, or that stand in the headers of who it asks and were saved before it."""
        needed = names_in(_own(step), self._names)
        in_headers = names_in([self._headers(name) for name in self._asked(step)], self._names)
        needed |= {name for name in in_headers if self._savers[name].position < position}
        if isinstance(step.settings, Check):
            needed |= names_in([_own(other) for other in step.settings.borrows(self._plan)], self._names)
        return needed

    def _asked(self, step: Step) -> list[BackendName]:
        asked = step.settings.asks() if isinstance(step.settings, Check) else ()
        return [name for name in get_args(BackendName) if name in asked and getattr(self._plan.backends, name, None)]

    def _headers(self, name: BackendName) -> Mapping[str, str]:
        headers: Mapping[str, str] = getattr(self._plan.backends, name).headers
        return headers

    def _values(self, step: Step, position: Position, needed: set[str]) -> Values:
        """A step that saves anew is asked as it was at first: without what it saves itself, or comes after it."""
        before = {name for name in self._known if self._savers[name].position < position}
        seen = (before | needed) - _saved_by(step).keys()
        return Values(self._names, {name: value for name, value in self._known.items() if name in seen})

    def _in_order(self, names: Iterable[str]) -> list[str]:
        return sorted(names, key=lambda name: (self._savers[name].position, name))

    def _position(self, phase: str, index: int) -> Position:
        return _place(self._plan, phase), index


def _misfit(error: ValidationError, within: str = "") -> UnsavedError:
    first = error.errors(include_url=False)[0]
    where = within + ".".join(map(str, first["loc"]))
    return UnsavedError(redact(f"a saved value does not fit in {where}: {first['msg']}"))


async def _retried(step: Step, values: Values, ask: Ask) -> Result:
    """The step's answer, as often as its ``retry`` says."""
    deadline = time.monotonic() + (step.retry.for_ if step.retry else 0.0)
    while True:
        result = await ask(step, values)
        if result.passed or step.retry is None or time.monotonic() + step.retry.every > deadline:
            return result
        await asyncio.sleep(step.retry.every)


def _savers(plan: Plan) -> Iterator[tuple[str, _Saver]]:
    """The first step that saves each name, in the order in which phases run."""
    found: dict[str, _Saver] = {}
    for phase in sorted(plan.phases, key=lambda name: _place(plan, name)):
        for index, step in enumerate(plan.phases[phase]):
            for name in _saved_by(step):
                found.setdefault(name, _Saver(step, (_place(plan, phase), index)))
    yield from found.items()


def _place(plan: Plan, phase: str) -> float:
    """Where a phase stands in a run; ``rollback``, and what the plan does not name, comes last."""
    forward = plan.forward_phases
    return forward.index(phase) if phase in forward else len(forward)


def _saved_by(step: Step) -> Mapping[str, Any]:
    saves = getattr(step.settings, "save", None)
    return saves if isinstance(saves, Mapping) else {}


def _own(step: Step) -> Mapping[str, Any]:
    """A step as written, without its gates, which are steps themselves."""
    settings = step.raw.get(step.type)
    if not isinstance(settings, Mapping) or GATES_KEY not in settings:
        return step.raw
    return {**step.raw, step.type: {key: value for key, value in settings.items() if key != GATES_KEY}}


def _gates(step: Step) -> Sequence[Any] | None:
    settings = step.raw.get(step.type)
    return settings.get(GATES_KEY) if isinstance(settings, Mapping) else None
