"""Whatever stands in a plan's file: a plan or mistakes, within a second, never anything else."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cutover.errors import Mistake, PlanError
from cutover.plan import LoadedPlan, load_plan, peek_name
from cutover.plan.step import StepTypes

Write = Callable[[str | bytes], Path]
# A second on a machine that does nothing else.
LIMIT_S = 2.0
quick = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])

_KEYS = """
    version name vars secrets backends old new fallback url servers headers proxy control managed server listen split by
    client key routes path to phases validate rollback http diff requests shift through gates traffic thresholds wait
    retry for save json
"""
_TEXTS = ("GET /a?b=1", "p95 <= 5ms", "http://me:pw@h:1", "5m", "1%", "medical-api", "127.0.0.1:80", "${A}", "${B:-c}")
_SIGNS = ("${", "$${", "<<", "*a", "&a", "!!str", "\t", "\n- ", "é", "'", '"', "#", "😀")
WORDS = st.sampled_from((*_KEYS.split(), *_TEXTS, *_SIGNS))
VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | WORDS,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(WORDS | st.text(max_size=3) | st.integers(0, 3), inner, max_size=4)
    ),
    max_leaves=12,
)


def outcome(path: Path, step_types: StepTypes) -> LoadedPlan | list[Mistake]:
    began = time.process_time()
    told: LoadedPlan | list[Mistake]
    try:
        told = load_plan(path, step_types, {"A": "a", "OLD_TOKEN": "t0ken-of-old"})
    except PlanError as error:
        told = error.mistakes
    assert time.process_time() - began < LIMIT_S
    peek_name(path)
    if isinstance(told, LoadedPlan):
        assert told.resolved_yaml()
        return told
    assert told == sorted(told, key=lambda m: (m.line, m.column))
    assert told
    assert all(m.message and "\n" not in m.message and m.line >= 0 and m.column >= 0 for m in told)
    return told


@quick
@given(content=st.binary(max_size=300))
def test_any_bytes(content: bytes, write: Write, step_types: StepTypes) -> None:
    outcome(write(content), step_types)


@quick
@given(content=st.text(alphabet="ab:-[]{}&*!|>'\"%@`#,? \n\t$~<1.", max_size=80))
def test_any_signs_of_yaml(content: str, write: Write, step_types: StepTypes) -> None:
    outcome(write(content), step_types)


@quick
@given(data=st.data())
def test_any_change_to_the_text_of_a_plan(data: st.DataObject, write: Write, whole: str, step_types: StepTypes) -> None:
    start = data.draw(st.integers(0, len(whole)))
    end = min(len(whole), start + data.draw(st.integers(0, 30)))
    inserted = data.draw(WORDS | st.text(max_size=5))
    outcome(write((whole[:start] + inserted + whole[end:]).encode(errors="replace")), step_types)


@quick
@given(data=st.data())
def test_any_change_to_the_values_of_a_plan(
    data: st.DataObject, write: Write, whole: str, step_types: StepTypes
) -> None:
    plan = yaml.safe_load(whole)
    for _ in range(data.draw(st.integers(1, 3))):
        node: Any = plan
        while True:
            keys = list(node) if isinstance(node, dict) else list(range(len(node)))
            if not keys:
                break
            key = data.draw(st.sampled_from(keys))
            if not isinstance(node[key], dict | list) or data.draw(st.booleans()):
                node[key] = data.draw(VALUES)
                break
            node = node[key]
    outcome(write(yaml.safe_dump(plan, allow_unicode=True)), step_types)


@pytest.mark.parametrize(
    "text",
    [
        "a: " + "x" * 1_000_000,
        '"' + "\\" * 1_000_000,
        "'" + "x" * 1_000_000,
        "a" * 1_000_000 + ": b",
        "a: |\n" + "  x\n" * 250_000,
        "a: >\n" + "  x\n" * 250_000,
        "[" + "a," * 490_000,
        "{" + "a," * 490_000,
        "".join(f"k{n}: 1\n" for n in range(40_000)),
        "a: 1\n" * 40_000,
        "&a" * 300_000,
        "*a " * 300_000,
        "!" * 1_000_000,
        "? " * 500_000,
        "%" * 1_000_000,
        "- - " * 20,
        "\n" * 1_000_000,
        "# " * 500_000,
        "a: ${" + "x" * 900_000,
        "a: ${A}" * 100_000,
        "a: " + "${A:-" * 100_000,
        "a: " + "http://" + "a@" * 400_000,
        "a: " + "http://a@b " * 80_000,
        "a: " + "".join(f"${{A{n}}}" for n in range(100_000)),
        "\n".join(f"a{n}: ${{A{n}}}" for n in range(40_000)),
        "a: http://" + "${" * 400_000 + "@",
        "a: " + "://" * 300_000 + "@",
        "proxy: {split: {by: client, key: " + "$aa" * 1000 + "!}}",
        "proxy: {resolver: " + "a." * 100_000 + "!}",
        "backends: {old: {url: http://" + "a" * 500_000 + ", servers: ['" + "a-" * 100_000 + "']}}",
        "phases: {a: [{http: {backend: " + "o" * 900_000 + "}}]}",
        "phases: {" + "x" * 500_000 + ": 5}",
        "p" * 100 + "hases: {a: [{" + "h" * 900_000 + ": 5}]}",
    ],
    ids=lambda text: f"{text[:20]!r}",
)
def test_large_odd_texts_are_told_within_a_second(text: str, write: Write, step_types: StepTypes) -> None:
    assert isinstance(outcome(write(text), step_types), list)
