"""``cutover diff``: the comparisons of a plan, or one of requests named now, without a run and without the lock."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

from pydantic import ValidationError

from cutover.checks.base import BackendName, Result, Target
from cutover.checks.diff import Diff
from cutover.engine.gates import measure_with
from cutover.engine.opening import Options
from cutover.engine.variables import Values, Variables
from cutover.errors import CheckFailedError, UsageError
from cutover.openapi.read import place_of
from cutover.parity.gather import SourceError
from cutover.parity.learn import Learned
from cutover.parity.text import Paint, plain, told
from cutover.plan import LoadedPlan
from cutover.plan.model import Plan
from cutover.plan.request import METHODS
from cutover.plan.step import Step
from cutover.plan.thresholds import Verdict, worst
from cutover.traffic.observer import Observer

DIFF = "diff"
Progress = Callable[[str], None]


@dataclass(frozen=True)
class Asked:
    """What the command line says. Sources named here are asked instead of those of the plan; its rules hold."""

    requests: tuple[str, ...] = ()
    requests_file: Path | None = None
    openapi: str | None = None
    access_log: Path | None = None
    har: Path | None = None
    limit: int | None = None
    concurrency: int | None = None
    rps: float | None = None
    save: Path | None = None
    step: str | None = None
    baseline: str | None = None

    @property
    def own_sources(self) -> bool:
        return bool(self.requests or self.requests_file or self.openapi or self.access_log or self.har)


class Told(Protocol):
    """What a comparison comes to, for people and for programs."""

    @property
    def passed(self) -> bool: ...

    @property
    def data(self) -> dict[str, Any]: ...

    def text(self, paint: Paint | None) -> str: ...


@dataclass(frozen=True)
class Comparisons:
    """Each compared step by its title, with its result."""

    results: list[tuple[str, Result]] = field(default_factory=list)

    @property
    def passed(self) -> bool:
        return self.verdict is Verdict.PASS

    @property
    def verdict(self) -> Verdict:
        return worst([result.verdict for _, result in self.results])

    @property
    def data(self) -> dict[str, Any]:
        steps = [{"step": title, **result.to_json()} for title, result in self.results]
        return {"verdict": self.verdict, "comparisons": steps}

    def text(self, paint: Paint | None) -> str:
        return "\n\n".join(_text(title, result, paint or plain) for title, result in self.results)


@dataclass(frozen=True)
class Lesson:
    """What was learned of each step."""

    learned: list[tuple[str, Learned]]
    baseline: str | None

    @property
    def passed(self) -> bool:
        return all(learned.report.compared for _, learned in self.learned)

    @property
    def data(self) -> dict[str, Any]:
        return {"learned": [{"step": title, **learned.to_json()} for title, learned in self.learned]}

    def text(self, paint: Paint | None) -> str:
        second = f"old, then of {Target('baseline', self.baseline).address}" if self.baseline else "old twice"
        return "\n\n".join(_lesson(title, learned, second, paint or plain) for title, learned in self.learned)


async def compare(options: Options, asked: Asked, progress: Progress) -> Comparisons:
    """Raises ``UsageError`` for what is asked wrongly, and ``PlanError``."""
    if asked.baseline is not None:
        raise UsageError("--baseline belongs to --learn")
    loaded = options.load()
    done = Comparisons()
    alone = _Alone(loaded, Variables(loaded), progress)
    for title, step in _chosen(loaded, asked):
        ready, settings = await alone.ready(step)
        compared = await _over(settings, asked).compare(ready, whole=not asked.own_sources)
        done.results.append((title, compared))
    return done


async def learn(options: Options, asked: Asked, progress: Progress) -> Lesson:
    """Raises ``UsageError``, ``PlanError``, and ``CheckFailedError`` where a source of requests can't be read."""
    loaded = options.load()
    alone = _Alone(loaded, Variables(loaded), progress)
    learned = []
    for title, step in _chosen(loaded, asked):
        ready, settings = await alone.ready(step)
        try:
            learned.append((title, await _over(settings, asked).learn(ready, asked.baseline)))
        except SourceError as error:
            raise CheckFailedError(str(error)) from None
    return Lesson(learned, asked.baseline)


def _chosen(loaded: LoadedPlan, asked: Asked) -> Iterator[tuple[str, Step]]:
    """The diff steps to compare; with sources of the command line, those under the rules of one step."""
    _refuse_wrong(asked)
    steps = [(phase, s) for phase, steps in loaded.plan.phases.items() for s in steps if s.type == DIFF]
    if asked.step is not None:
        named = [(phase, step) for phase, step in steps if asked.step in {step.name, step.title, phase}]
        if not named:
            known = ", ".join(repr(step.name or step.title) for _, step in steps) or "none"
            raise UsageError(f"the plan has no diff step {asked.step!r}", f"it has: {known}")
        steps = named
    if not asked.own_sources:
        if not steps:
            raise UsageError("the plan has no diff step", "name requests, as in `cutover diff GET /health`")
        yield from ((f"{phase}: {step.title}", step) for phase, step in steps)
    elif steps:
        phase, step = steps[0]
        yield f"by the rules of {phase}: {step.title}", step
    else:
        yield "without rules: the plan has no diff step", Step(DIFF, Diff.model_validate({"requests": ["GET /"]}))


def _over(settings: Diff, asked: Asked) -> Diff:
    """The step's settings under what the command line says."""
    given: dict[str, Any] = {}
    if asked.own_sources:
        given = {
            "requests": _requests(asked.requests),
            "requests_file": str(asked.requests_file) if asked.requests_file else None,
            "sequences": {},
            "openapi": asked.openapi,
            "access_log": [str(asked.access_log)] if asked.access_log else [],
            "har": [str(asked.har)] if asked.har else [],
        }
    for name in ("limit", "concurrency", "rps"):
        if (value := getattr(asked, name)) is not None:
            given[name] = value
    # What the plan keeps is kept by its runs.
    given["save"] = str(asked.save) if asked.save is not None else None
    try:
        # A step under --limit alone has requests of its own, which are not said again.
        named = {key: value for key, value in given.items() if value not in (None, [], {})}
        checked = Diff.model_validate(named if asked.own_sources else {"requests": ["GET /"], **named})
    except ValidationError as error:
        raise UsageError("; ".join(str(line["msg"]) for line in error.errors(include_url=False))) from None
    fields = {field.alias or name: name for name, field in Diff.model_fields.items()}
    return settings.model_copy(update={fields[key]: getattr(checked, fields[key]) for key in given})


def _requests(words: tuple[str, ...]) -> list[str]:
    """``GET /a HEAD /b`` as one request per method, also where the shell kept both words together."""
    parts = [part for word in words for part in word.split(None, 1)]
    requests = []
    for method, path in zip(parts[::2], [*parts[1::2], ""], strict=False):
        if method not in METHODS or not path.startswith("/"):
            raise UsageError(f"{method} {path}".strip() + " is not a request", "write METHOD /path, as in GET /health")
        requests.append(f"{method} {path}")
    return requests


def _refuse_wrong(asked: Asked) -> None:
    """Before anybody is asked."""
    _requests(asked.requests)
    if asked.baseline is not None and not asked.baseline.startswith(("http://", "https://")):
        raise UsageError(f"--baseline {asked.baseline} is no http:// or https:// URL")
    if asked.save is not None and not asked.save.absolute().parent.is_dir():
        raise UsageError(f"--save {asked.save}: there is no folder {asked.save.absolute().parent}")
    if asked.openapi is not None:
        place_of(asked.openapi)
    for option, file in (("--requests", asked.requests_file), ("--access-log", asked.access_log), ("--har", asked.har)):
        if file is not None and not file.is_file():
            raise UsageError(f"{option} {file}: {'a folder, not a file' if file.is_dir() else 'there is no such file'}")


@dataclass
class _Alone:
    """Implements ``CheckContext`` for a check that belongs to no run."""

    loaded: LoadedPlan
    variables: Variables
    progress: Progress
    values: Values = field(default_factory=Values)

    @property
    def plan(self) -> Plan:
        return self.loaded.plan

    @property
    def artifacts(self) -> Path:
        raise UsageError("a comparison without a run keeps no artifacts")

    async def log_trouble(self) -> str | None:
        raise UsageError("a comparison without a run looks at no traffic")

    @property
    def traffic(self) -> Observer:
        raise UsageError("a comparison without a run has seen no traffic")

    def target(self, name: BackendName) -> Target:
        return self.values.target(self.plan, name)

    async def ready(self, step: Step) -> tuple[_Alone, Diff]:
        """The step with all that steps before it save, and what it is run with. Raises ``UnsavedError``."""
        values = await self.variables.ready(step, self._ask)
        settings = values.filled(step).settings
        assert isinstance(settings, Diff)  # noqa: S101 - no other step is asked for
        return replace(self, values=values), settings

    async def _ask(self, step: Step, values: Values) -> Result:
        self.progress(f"asks {step.title}")
        return await measure_with(step, replace(self, values=values))


def _text(title: str, result: Result, paint: Paint) -> str:
    verdict = paint(str(result.verdict), {"pass": "cure", "fail": "fail", "unknown": "warn"}[result.verdict])
    body = told(result.details, paint) if result.details else result.summary
    return f"{paint(title, 'title')}\n{verdict}  {body}"


def _lesson(title: str, learned: Learned, second: str, paint: Paint) -> str:
    asked = learned.report.compared
    lines = [paint(title, "title"), f"{asked} request{'s' if asked != 1 else ''}, asked of {second}"]
    if not asked:
        lines.append("so nothing could be learned")
    elif learned.rules:
        lines += ["these move by themselves; under diff in the plan this would ignore them:", ""]
        lines += [f"  {line}" for line in str(learned.to_json()["yaml"]).splitlines()]
    else:
        lines.append("nothing moves by itself that a rule could name")
    lines += [f"no rule for {endpoint} {path}: {reason}" for endpoint, path, reason in learned.unruly]
    unknown = learned.report.unknown
    lines += [f"unknown: {name}" for name in unknown.names]
    return "\n".join(lines)
