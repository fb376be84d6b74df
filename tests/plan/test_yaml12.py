"""YAML as plans use it: the core schema of 1.2, duplicates, anchors, limits, and syntax errors with their cures."""

from __future__ import annotations

import gc
import time
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from cutover.errors import PlanError
from cutover.plan.nodes import plain
from cutover.plan.yaml12 import MAX_DEPTH, MAX_NODES, compose, resolve_scalar

LOADERS = [pytest.param(yaml.SafeLoader, id="pure"), pytest.param(yaml.CSafeLoader, id="libyaml")]


def data(text: str, loader: Any = None) -> Any:
    root, mistakes = compose(text, "p.yml", loader=loader)
    assert mistakes == []
    return plain(root)


def noted(text: str) -> list[str]:
    """Mistakes after which reading goes on."""
    return [str(m).removeprefix("p.yml:") for m in compose(text, "p.yml")[1]]


def fatal(text: str, loader: Any = None) -> str:
    with pytest.raises(PlanError) as error:
        compose(text, "p.yml", loader=loader)
    return str(error.value).removeprefix("p.yml:")


@pytest.mark.parametrize("loader", LOADERS)
@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("true", True), ("True", True), ("TRUE", True), ("false", False), ("FALSE", False),
        ("null", None), ("Null", None), ("~", None), ("", None),
        ("yes", "yes"), ("no", "no"), ("on", "on"), ("off", "off"), ("y", "y"), ("NO", "NO"), ("tRue", "tRue"),
        ("1:30", "1:30"), ("190:20:30", "190:20:30"),
        ("2026-01-31", "2026-01-31"), ("2026-01-31T10:00:00Z", "2026-01-31T10:00:00Z"),
        ("0", 0), ("007", 7), ("-12", -12), ("+3", 3), ("0o17", 15), ("0x1F", 31), ("1_000", "1_000"), ("0b11", "0b11"),
        ("1.5", 1.5), ("-.5", -0.5), ("1.", 1.0), ("1e3", 1000.0), ("1.5E-3", 0.0015), (".", "."), ("1.2.3", "1.2.3"),
        ("90s", "90s"), ("50%", "50%"), ("=", "="), ("<<", "<<"), ("nan", "nan"), ("inf", "inf"),
        ("'5'", "5"), ('"true"', "true"), ("''", ""), ("!!str 5", "5"), ("! 5", "5"),
        ("!!int 5", 5), ("!!float 5", 5.0),
        ("!!bool true", True), ("!!null ''", None), ("!!str no", "no"),
    ],
)  # fmt: skip
def test_scalars_mean_what_yaml_1_2_says(written: str, meant: object, loader: Any) -> None:
    read = data(f"a: {written}\n", loader)["a"]
    assert read == meant
    assert type(read) is type(meant)


@pytest.mark.parametrize(
    "written", [".nan", ".inf", "-.INF", "1e999", "9" * 401, "!!int five", "!!bool 1", "!!float x"]
)
def test_numbers_that_no_plan_can_use_are_mistakes(written: str) -> None:
    (mistake,) = noted(f"a: {written}\n")
    assert mistake.startswith("1:4: a:")


@given(st.text(max_size=30))
def test_a_scalar_is_a_value_or_a_mistake(text: str) -> None:
    try:
        value = resolve_scalar(text)
    except ValueError:
        return
    assert value is None or isinstance(value, str | int | float)


@pytest.mark.parametrize("tag", ["!mine", "!!python/object:os.system", "!!binary", "!!set", "!!timestamp", "!<x:y>"])
def test_tags_of_any_other_kind_are_mistakes(tag: str) -> None:
    (mistake,) = noted(f"a: {tag} x\n")
    assert mistake.startswith("1:4: a: plans have no tags like ")
    assert noted(f"a: {tag} {{b: c}}\n")[0].startswith("1:4: a: plans have no tags like ")
    assert noted(f"a: {tag} [b]\n")[0].startswith("1:4: a: plans have no tags like ")


def test_core_tags_on_collections_are_fine() -> None:
    assert data("a: !!map {b: !!seq [c]}\n") == {"a": {"b": ["c"]}}


def test_a_duplicate_key_names_both_places() -> None:
    assert noted("a:\n  b: 1\n  c: 2\n  b: 3\n") == ["4:3: a.b: duplicate key 'b', first at line 2, column 3"]


def test_every_duplicate_is_told() -> None:
    assert len(noted("a: 1\nb: 2\na: 3\na: 4\nb: 5\n")) == 3


def test_a_number_and_its_text_are_one_key() -> None:
    assert noted("a: {1: x, '1': y}\n") == ["1:11: a.1: duplicate key '1', first at line 1, column 5"]
    assert noted("a: {'1': x, 1: y}\n") == ["1:13: a[1]: duplicate key 1, first at line 1, column 5"]
    assert data("a: {'01': x, 1: y}\n") == {"a": {"01": "x", 1: "y"}}


@pytest.mark.parametrize("key", ["true", "null", "1.5", "~", "? [a]\n", "? {a: b}\n"])
def test_keys_that_are_no_texts_are_mistakes(key: str) -> None:
    (mistake,) = noted(f"a: b\n{key}: c\n")
    assert "a key is a text, not" in mistake
    assert mistake.endswith("(put it in quotes)")


def test_anchors_and_aliases_share_values() -> None:
    assert data("a: &x {b: [1]}\nc: *x\nd: &y e\nf: *y\n") == {"a": {"b": [1]}, "c": {"b": [1]}, "d": "e", "f": "e"}


def test_merge_keys_fill_in_what_is_not_written() -> None:
    text = "a: &a {x: 1, y: 2}\nb: &b {y: 3, z: 4}\nc: {<<: *a, y: 9}\nd: {z: 0, <<: [*b, *a]}\n"
    assert data(text)["c"] == {"x": 1, "y": 9}
    assert data(text)["d"] == {"z": 0, "y": 3, "x": 1}


def test_a_quoted_merge_key_is_a_key() -> None:
    assert data("a: {'<<': b}\n") == {"a": {"<<": "b"}}


@pytest.mark.parametrize("merged", ["5", "[a]", "text", "[{a: b}, c]"])
def test_only_mappings_merge(merged: str) -> None:
    assert "<< merges a mapping" in noted(f"a: {{<<: {merged}}}\n")[0]


def test_two_merge_keys_are_a_duplicate() -> None:
    assert "duplicate key '<<', first at line 2" in noted("a: &a {x: 1}\nb: {<<: *a, <<: *a}\n")[0]


def test_an_unknown_alias_suggests_a_known_one() -> None:
    assert noted("a: &defaults {b: c}\nd: *default\n") == [
        "2:4: d: there is no anchor &default above (did you mean *defaults?)"
    ]


def test_an_anchor_within_itself_is_a_mistake() -> None:
    assert "contains itself" in fatal("a: &a [*a]\n")
    assert "contains itself" in fatal("a: &a {b: {<<: *a}}\n")


def seconds(text: str, said: str) -> float:
    # What other tests of this process left behind is not to be looked through at every collection.
    gc.freeze()
    try:
        began = time.process_time()
        assert said in fatal(text)
        return time.process_time() - began
    finally:
        gc.unfreeze()


def test_a_billion_laughs_are_a_mistake_within_a_second() -> None:
    lines = ["a0: &a0 [lol, lol, lol, lol, lol, lol, lol, lol, lol, lol]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 30)]
    assert seconds("\n".join(lines), f"more than {MAX_NODES:,} values") < 1


def test_merges_of_merges_are_counted() -> None:
    text = "a: &a {" + ", ".join(f"k{n}: 1" for n in range(10_000)) + "}\nb:\n" + "  - <<: *a\n" * 10_000
    assert seconds(text, f"more than {MAX_NODES:,} values") < 1


@pytest.mark.parametrize(
    "text", ["[" * 500_000, "{a: " * 200_000, "- " * 400_000, "a: " + "[" * 500_000 + "]" * 500_000]
)
def test_deep_nesting_is_a_mistake_within_a_second(text: str) -> None:
    assert seconds(text, f"more than {MAX_DEPTH} levels") < 1


def test_aliases_do_not_hide_depth() -> None:
    lines = ["a0: &a0 [x]"] + [f"a{n}: &a{n} [*a{n - 1}]" for n in range(1, 200)]
    assert seconds("\n".join(lines), f"more than {MAX_DEPTH} levels") < 1


def test_many_values_are_a_mistake_within_a_second() -> None:
    assert seconds("a:\n" + "- b\n" * (MAX_NODES + 10_000), f"more than {MAX_NODES:,} values") < 1


@pytest.mark.parametrize("loader", LOADERS)
@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a:\n\tb: 1\n", "2:1: a tab in the indentation (YAML indents with spaces only)"),
        ("a:\n  b: 1\n\tc: 2\n", "3:1: a tab in the indentation"),
        ("a:\n  - b\n \t- c\n", "3:2: a tab in the indentation"),
        ("a: 'x\nb: 1\n", "1:4: the quotes that open here are never closed"),
        ('a: "x\n', "1:4: the quotes that open here are never closed"),
        ("a: [1, 2\nb: 3\n", "the list around this is not closed"),
        ("a: {b: 1\nc: 2\n", "the mapping around this is not closed"),
        ("a: b: c\n", "1:5: a ': ' where no key can stand"),
        ("a: 1\n b: 2\n", "2:3: a ': ' where no key can stand"),
        ("a:\n  - b\n  c: d\n", "3:3: "),
        ("a:\n    b: 1\n  c: 2\n", "3:3: this line is not indented as the lines around it are"),
        ("a: @x\n", "1:4: a text can't begin with this sign (quote the text)"),
        ("a: `x`\n", "1:4: a text can't begin with this sign"),
        ("a: %x\n", "1:4: a text can't begin with this sign"),
        ('a: "\\q"\n', "an unknown escape in double quotes"),
        ("a: - b\n", "a '- ' where no list item can stand"),
        ("a: 1\nb\n", "a line without ': ' between keys"),
        ("a: !x!y z\n", "a tag of one's own"),
        ("a: {b: ${C}}\n", "1:8: YAML takes the brace of an unquoted ${...} for its own"),
        ("a: [${C}, d]\n", "1:5: YAML takes the brace of an unquoted ${...} for its own"),
        ("- requests: [GET /a/{id}, GET /b]\n", "1:14: YAML tears the request 'GET /a/{id' apart"),
        ("- requests:\n  - GET /a: b: c\n", "2:5: YAML tears the request 'GET /a:' apart"),
    ],
)
def test_a_syntax_error_says_where_and_how_to_mend_it(text: str, said: str, loader: Any) -> None:
    assert said in fatal(text, loader)


def test_a_quoted_request_is_not_blamed_for_the_syntax_around_it() -> None:
    assert "list around this is not closed" in fatal('a: ["GET /b?c", "GET /d"\ne: f\n')


def test_both_loaders_read_the_same(whole: str) -> None:
    assert data(whole, yaml.SafeLoader) == data(whole, yaml.CSafeLoader)
