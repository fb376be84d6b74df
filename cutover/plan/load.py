"""plan.yml -> ``LoadedPlan``, or every mistake in it."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping as Environment
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError
from pydantic_core import ErrorDetails

from cutover.errors import Mistake, PlanError
from cutover.plan.model import Plan
from cutover.plan.nodes import Key, Mapping, Scalar
from cutover.plan.nodes import Path as Place
from cutover.plan.resolve import Resolved, resolve
from cutover.plan.retell import NUMBER_ERRORS, located, retell
from cutover.plan.source import read_plan
from cutover.plan.step import StepTypes
from cutover.plan.torn import torn_requests
from cutover.plan.yaml12 import NotCoreError, compose, resolve_scalar
from cutover.redact import Redactor, redact, redactor

MAX_MISTAKES = 500
MAX_LINE_CHARS = 1_000_000

_NAME_LINE = re.compile(
    r"""^(?:\{\s*)?(?P<k>["']?)name(?P=k)\s*:\s*(?P<q>["']?)([a-z][a-z0-9-]{0,62})(?P=q)\s*(?:[,#}].*)?$""",
    re.MULTILINE,
)


@dataclass(frozen=True)
class LoadedPlan:
    """A plan and what it was made of.

    ``hash`` is that of ``resolved`` in canonical JSON: comments, formatting, the order of keys (but not of phases) and
    the values of secrets don't change it. ``resolved`` has every variable filled in and secrets as ``***``.
    ``run_variables`` are the names that steps save while the run goes on; they stand in later steps as ``${name}``.
    """

    plan: Plan = field(repr=False)
    file: Path
    text: str = field(repr=False)
    hash: str
    resolved: dict[str, Any] = field(repr=False)
    run_variables: tuple[str, ...]

    def resolved_yaml(self) -> str:
        """``resolved`` for the artifacts."""
        return redact(_dumped(self.resolved))


def load_plan(path: Path, step_types: StepTypes, environ: Environment[str, str]) -> LoadedPlan:
    """Read, resolve and validate a plan; register its secrets for redaction.

    Raises ``PlanError`` with every mistake, in the order of the file, none of which shows a secret.
    """
    file, text = str(path), read_plan(path)
    root, mistakes = compose(text, file)
    torn, torn_places = torn_requests(root, text, file)
    resolved = resolve(root, file, environ)
    for secret in sorted(resolved.secrets):
        redactor.add(secret)
    plan, errors = _validated(resolved, root, step_types)
    invalid = retell(errors, root, file, {*resolved.faulty, *torn_places})
    mistakes = [*mistakes, *torn, *resolved.mistakes, *invalid]
    if mistakes or plan is None:
        raise PlanError(_in_order(mistakes))
    return LoadedPlan(
        plan=plan,
        file=path,
        text=text,
        hash=_hash(resolved.masked),
        resolved=_redacted(resolved),
        run_variables=resolved.run_variables,
    )


def peek_name(path: Path) -> str | None:
    """The plan's name, from a file that need not be a valid plan nor even YAML. Never raises."""
    try:
        text = read_plan(path)
    except PlanError:
        return None
    try:
        root, _ = compose(text, str(path))
    except PlanError:
        line = _NAME_LINE.search(text)
        return line.group(3) if line else None
    node = root.entries["name"].node if "name" in root.entries else None
    value = node.value if isinstance(node, Scalar) else None
    return value if isinstance(value, str) and _NAME_LINE.search(f"name: {value}") else None


def _validated(resolved: Resolved, root: Mapping, types: StepTypes) -> tuple[Plan | None, list[ErrorDetails]]:
    """The plan or pydantic's errors. A variable where a number belongs is read as YAML would read its value."""
    try:
        return Plan.model_validate(resolved.data, context={"step_types": types}), []
    except ValidationError as error:
        errors = error.errors(include_url=False)
    numbers = {located(e, root) for e in errors if e["type"] in NUMBER_ERRORS} & resolved.interpolated
    if not any([_read_number(resolved, place) for place in numbers]):  # noqa: C419 - each has to be read
        return None, errors
    try:
        return Plan.model_validate(resolved.data, context={"step_types": types}), []
    except ValidationError as error:
        return None, error.errors(include_url=False)


def _read_number(resolved: Resolved, place: Place) -> bool:
    data = _at(resolved.data, place[:-1])
    text = data[place[-1]]
    try:
        value = resolve_scalar(text)
    except NotCoreError:
        return False
    if isinstance(value, str) or value is None:
        return False
    if resolved.masked and (masked := _at(resolved.masked, place[:-1]))[place[-1]] == text:
        masked[place[-1]] = value
    data[place[-1]] = value
    return True


def _at(data: Any, place: Place) -> Any:
    for part in place:
        data = data[part]
    return data


def _in_order(mistakes: list[Mistake]) -> list[Mistake]:
    """Sorted, redacted, and once each: what stands under an anchor is wrong wherever it is used."""
    told: dict[tuple[int, int, str, str], Mistake] = {}
    for m in sorted(mistakes, key=lambda m: (m.line, m.column)):
        told.setdefault((m.line, m.column, m.message, m.path.rpartition(".")[2]), m)
    ordered = list(told.values())
    if len(ordered) > MAX_MISTAKES:
        last, rest = ordered[MAX_MISTAKES], len(ordered) - MAX_MISTAKES
        ordered[MAX_MISTAKES:] = [
            replace(last, path="", message=f"and at least {rest} more mistakes from here on", hint=None)
        ]
    return [
        replace(m, path=redact(m.path), message=redact(m.message), hint=redact(m.hint) if m.hint else None)
        for m in ordered
    ]


def _hash(masked: dict[Key, Any]) -> str:
    phases = masked.get("phases")
    # Phases run as written: their order is part of what a plan says.
    ordered = {**masked, "phases": list(phases.items())} if isinstance(phases, dict) else masked
    canonical = json.dumps(_with_text_keys(ordered), sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(canonical.encode()).hexdigest()


def _with_text_keys(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _with_text_keys(item) for key, item in value.items()}
    return [_with_text_keys(item) for item in value] if isinstance(value, list | tuple) else value


def _redacted(resolved: Resolved) -> dict[str, Any]:
    """The masked data, also without secrets that are repeated where no secret belongs, as in a command."""
    data: dict[str, Any] = _with_text_keys(resolved.masked)
    own = Redactor()
    for secret in resolved.secrets:
        own.add(secret)
    whole = json.dumps(data, ensure_ascii=False)
    return data if own.text(whole) == whole else own.data(data)


def _dumped(data: dict[str, Any]) -> str:
    dumper: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
    # A folded line could hide a part of a secret.
    text: str = yaml.dump(data, Dumper=dumper, sort_keys=False, allow_unicode=True, width=MAX_LINE_CHARS)
    return text
