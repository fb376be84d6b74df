"""Every plan in the documentation loads, whole or in part, and every table of keys says what the models say."""

from __future__ import annotations

import re
import typing
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import BaseModel

from cutover.checks.diff import Against
from cutover.engine.registry import STEP_TYPES
from cutover.errors import PlanError
from cutover.parity.options import Options
from cutover.plan import LoadedPlan, load_plan, model
from cutover.plan.request import METHODS, Request
from cutover.plan.step import COMMON_KEYS, GATE_KEYS, CommonKeys, GateOnFail, OnFail
from cutover.plan.thresholds import METRICS, MIN_SAMPLES, parse_threshold
from cutover.plan.units import parse_duration, parse_percentage, parse_rate, parse_size
from tests.docs.markdown import PAGES, README, ROOT, Block, blocks, code, headings, slug, table

PLAN = ROOT / "docs" / "plan.md"
STEPS = ROOT / "docs" / "steps.md"
BROKEN = "cutover.yml"
SAMPLES = [block for page in PAGES for block in blocks(page, "yaml") if block.note != BROKEN]
SKELETON = """\
version: 1
name: my-api
backends:
  old: {url: "http://127.0.0.1:8000"}
  new: {url: "http://127.0.0.1:8001"}
proxy:
  url: http://127.0.0.1:8080
  control: {managed: {}}
  server: {listen: "127.0.0.1:8080"}
phases: {}
"""


def _load(data: Any, folder: Path) -> LoadedPlan:
    """Load a plan of these data, with every variable that it names in the environment."""
    text = data if isinstance(data, str) else yaml.safe_dump(data, sort_keys=False)
    file = folder / "cutover.yml"
    file.write_text(text)
    names = re.findall(r"\$\{([A-Z][A-Z0-9_]*)", text)
    return load_plan(file, STEP_TYPES, {name: f"value-of-{name}" for name in names})


def _with_steps(steps: list[Any], folder: Path) -> LoadedPlan:
    return _load({**yaml.safe_load(SKELETON), "phases": {"try": steps}}, folder)


@pytest.mark.parametrize("block", SAMPLES, ids=lambda block: block.where)
def test_every_yaml_block_loads(block: Block, tmp_path: Path) -> None:
    """A whole plan as it stands; steps and parts of a plan within a skeleton; a job of a pipeline is YAML."""
    data = yaml.safe_load(block.text)
    if isinstance(data, list):
        _with_steps(data, tmp_path)
    elif "version" in data:
        _load(block.text, tmp_path)
    elif "jobs" in data:
        assert all(job["steps"] for job in data["jobs"].values())
    else:
        _load({**yaml.safe_load(SKELETON), **data}, tmp_path)


def test_the_readme_has_a_whole_plan_with_every_standard_phase(tmp_path: Path) -> None:
    (whole,) = [block for block in blocks(README, "yaml") if block.heading == "The plan"]
    assert set(_load(whole.text, tmp_path).plan.phases) == set(model.STANDARD_PHASES)


def test_the_mistakes_that_are_shown_are_those_that_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (plan,) = [block for block in blocks(PLAN, "yaml") if block.note == BROKEN]
    (output,) = [block for block in blocks(PLAN, "text") if block.note == "output of: cutover check"]
    monkeypatch.chdir(tmp_path)
    Path(BROKEN).write_text(plan.text)
    with pytest.raises(PlanError) as told:
        load_plan(Path(BROKEN), STEP_TYPES, {})
    assert told.value.message == output.text.rstrip("\n")


def _keys(kind: type[BaseModel]) -> dict[str, bool]:
    """Each key with whether it is required."""
    return {field.alias or name: field.is_required() for name, field in kind.model_fields.items()}


MODELS: dict[str, type[BaseModel]] = {
    "The keys": model.Plan,
    "Backends": model.Backends,
    "A backend": model.Backend,
    "Proxy": model.Proxy,
    "Control": model.Control,
    "managed": model.Managed,
    "local": model.Local,
    "docker": model.Docker,
    "Server": model.ProxyServer,
    "Status": model.Status,
    "Split": model.Split,
    "Routes": model.Route,
    "Requests": Request,
}


@pytest.mark.parametrize("heading", MODELS)
def test_a_table_of_the_plans_keys_has_all_of_them_and_says_which_are_required(heading: str) -> None:
    rows = table(PLAN, heading, "key")
    assert {code(row[0])[0]: row[1] == "required" for row in rows} == _keys(MODELS[heading])


@pytest.mark.parametrize("heading", MODELS)
def test_documented_defaults_of_the_plan_are_those_of_the_models(heading: str) -> None:
    for key, default, _ in table(PLAN, heading, "key"):
        (field,) = [f for name, f in MODELS[heading].model_fields.items() if (f.alias or name) == code(key)[0]]
        if default == "none":
            assert field.get_default(call_default_factory=True) is None, key
        elif default.startswith("`"):
            shown = field.get_default(call_default_factory=True)
            told = yaml.safe_load(code(default)[0])
            if isinstance(told, str) and isinstance(shown, int):
                told = parse_size(told)
            assert _plain(shown) == told, key


def _plain(value: Any) -> Any:
    if isinstance(value, BaseModel):
        return value.model_dump(exclude_none=True, exclude_defaults=False)
    return [_plain(item) for item in value] if isinstance(value, list) else value


def test_words_that_a_plan_may_choose_from_are_documented() -> None:
    rows = {code(row[0])[0]: row[2] for row in table(PLAN, "Requests", "key")}
    assert rows["method"] == ", ".join(METHODS)
    assert set(typing.get_args(OnFail)) == {code(row[0])[0] for row in table(STEPS, "When a step fails", "`on_fail`")}


def test_every_step_type_has_a_heading_of_its_name_and_a_line_in_both_tables() -> None:
    assert set(STEP_TYPES) <= set(headings(STEPS))
    for page, heading, first in ((STEPS, "Steps", "type"), (README, "The plan", "step type")):
        rows = table(page, heading, first)
        assert [code(row[0])[0] for row in rows] == [h for h in headings(STEPS) if h in STEP_TYPES]
        for row in rows:
            assert f"#{slug(code(row[0])[0])})" in row[0]
    assert {code(row[0])[0]: row[1] for row in table(STEPS, "Steps", "type")} == {
        name: settings.kind for name, settings in STEP_TYPES.items()
    }


def test_the_keys_of_every_step_are_documented() -> None:
    assert tuple(code(row[0])[0] for row in table(STEPS, "Keys of every step", "key")) == COMMON_KEYS
    assert set(_keys(CommonKeys)) == set(COMMON_KEYS)


def test_the_keys_that_only_gates_have_are_documented() -> None:
    rows = {code(row[0])[0]: row[2] for row in table(STEPS, "Gates", "key")}
    assert tuple(rows) == ("on_fail", *GATE_KEYS)
    (more,) = set(typing.get_args(GateOnFail)) - set(typing.get_args(OnFail))
    assert more in code(rows["on_fail"])


@pytest.mark.parametrize("name", STEP_TYPES)
def test_a_steps_table_has_all_its_keys_and_says_which_are_required(name: str) -> None:
    rows = table(STEPS, name, "key")
    assert {code(row[0])[0]: row[1] == "required" for row in rows} == _keys(STEP_TYPES[name])


@pytest.mark.parametrize("name", STEP_TYPES)
def test_writing_a_documented_default_into_a_step_changes_nothing(name: str, tmp_path: Path) -> None:
    step = next(step for block in blocks(STEPS, "yaml") if block.heading == name for step in yaml.safe_load(block.text))
    settings = step[name] if isinstance(step[name], dict) else STEP_TYPES[name].from_scalar(step[name])
    for key, default, _ in table(STEPS, name, "key"):
        written = {k: v for k, v in settings.items() if k != code(key)[0]}
        if default in {"required", "none"} or not _loads(name, written, tmp_path):
            continue
        explicit = {**written, code(key)[0]: yaml.safe_load(code(default)[0])}
        one, other = (_with_steps([{name: s}], tmp_path).plan.phases["try"][0].settings for s in (written, explicit))
        assert one == other, f"{name}: {key} is not {default} by default"


def _loads(name: str, settings: dict[str, Any], folder: Path) -> bool:
    try:
        _with_steps([{name: settings}], folder)
    except PlanError:
        return False
    return True


def test_the_options_of_a_request_are_said_to_begin_where_they_do() -> None:
    keys = [code(row[0])[0] for row in table(STEPS, "diff", "key")]
    assert set(keys[keys.index("ignore") :]) == set(Options.model_fields)
    assert set(Against.model_fields) == {"old", "new"}


def test_options_that_turn_a_difference_are_options() -> None:
    rows = table(STEPS, "What counts as a difference", "matter")
    turned = {name for row in rows for name in code(row[2])}
    assert turned <= set(Options.model_fields)
    # What is left are ways to leave a part out altogether.
    assert set(Options.model_fields) - turned == {"ignore"}


def test_the_metrics_of_thresholds_are_documented_with_the_samples_they_need() -> None:
    rows = table(PLAN, "Thresholds", "metric")
    told = [(name, code(value)[0], int(samples)) for metrics, value, samples in rows for name in code(metrics)]
    assert {name for name, _, _ in told} == set(METRICS)
    for name, value, samples in told:
        assert parse_threshold(f"{name} <= {value}").metric == name
        assert samples == MIN_SAMPLES.get(name, 0 if name in {"requests", "rps"} else 1)


@pytest.mark.parametrize(
    ("what", "parse"),
    [("duration", parse_duration), ("percentage", parse_percentage), ("rate", parse_rate), ("size", parse_size)],
)
def test_units_are_read_as_documented(what: str, parse: Any) -> None:
    (row,) = [row for row in table(PLAN, "Units", "what") if row[0] == what]
    for written in code(row[1]):
        assert parse(written) > 0
    for wrong in code(row[2]):
        with pytest.raises(Exception, match="unit"):
            parse(yaml.safe_load(wrong))
