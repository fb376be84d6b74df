"""A loaded plan: its hash, its resolved form, its name, and how long loading takes."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from cutover.plan import LoadedPlan, peek_name

Load = Callable[..., LoadedPlan]
Write = Callable[[str | bytes], Path]
ENVIRON = {"OLD_TOKEN": "t0ken-of-old"}


def changed(text: str, old: str, new: str) -> str:
    assert old in text
    return text.replace(old, new)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("# names upstreams, runs and the lock", "# something else"),
        ("\n\n", "\n# a comment\n\n\n"),
        ("by: request", "'by':    \"request\""),
        ("through: [1, 10, 25, 50]", "through:\n        - 1\n        - 10\n        - 25\n        - 50"),
        ("{header: X-Cutover, cookie: cutover}", "{cookie: cutover, header: X-Cutover}"),
        ("version: 1\nname: medical-api", "name: medical-api\nversion: 1\n#"),
        ("hold: 5m", "<<: {hold: 5m}"),
        ("cutover", "cutover"),
    ],
)
def test_the_hash_does_not_see_comments_order_and_formatting(old: str, new: str, load: Load, whole: str) -> None:
    assert load(changed(whole, old, new), ENVIRON).hash == load(whole, ENVIRON).hash


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("hold: 5m", "hold: 6m"),
        ("FastAPI", "Flask"),
        ("tenant: demo", "tenant: other"),
        ("concurrency: 100", "concurrency: 101"),
        ("[1, 10, 25, 50]", "[1, 10, 25]"),
        ("docker, stop, fastapi", "docker, fastapi, stop"),
        ("Authorization", "X-Authorization"),
        ("  soak:", "  soaking:"),
    ],
)
def test_the_hash_sees_everything_else(old: str, new: str, load: Load, whole: str) -> None:
    assert load(changed(whole, old, new), ENVIRON).hash != load(whole, ENVIRON).hash


def test_the_hash_sees_the_order_of_phases(load: Load, head: str) -> None:
    assert load(head + "phases: {a: [], b: []}\n").hash != load(head + "phases: {b: [], a: []}\n").hash


def test_the_hash_does_not_see_the_value_of_a_secret(load: Load, whole: str) -> None:
    first, second = load(whole, ENVIRON), load(whole, {"OLD_TOKEN": "another-token-altogether"})
    assert first.hash == second.hash
    assert first.resolved == second.resolved
    assert len(first.hash) == 64


def test_the_hash_sees_the_value_of_any_other_variable(load: Load, head: str) -> None:
    text = head + "description: ${WHO}\nphases: {}\n"
    assert load(text, {"WHO": "one"}).hash != load(text, {"WHO": "two"}).hash


def test_the_resolved_plan_is_yaml_without_variables_and_secrets(load: Load, whole: str) -> None:
    loaded = load(whole, ENVIRON)
    assert yaml.safe_load(loaded.resolved_yaml()) == loaded.resolved
    assert loaded.resolved["backends"]["old"]["headers"] == {"Authorization": "***"}
    assert "${" not in loaded.resolved_yaml()
    assert loaded.resolved["phases"]["shift"][0]["shift"]["through"] == [1, 10, 25, 50]
    assert loaded.text == whole
    assert loaded.run_variables == ()


def test_a_resolved_plan_loads_again_as_the_same_plan(load: Load, head: str) -> None:
    first = load(head + 'description: "${WHO:-x} $${Y}"\nphases: {a: [{wait: 5m}]}\n', {})
    again = load(first.resolved_yaml().replace("${Y}", "$${Y}"))
    assert again.plan == first.plan
    assert again.hash == first.hash


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("name: medical-api\n", "medical-api"),
        ("version: 1\nname: 'medical-api'  # the API\nphases: {}\n", "medical-api"),
        ("\ufeffname: medical-api\r\nversion: 1\r\n", "medical-api"),
        ("{name: medical-api, version: 1}", "medical-api"),
        ("version: 1\nname: medical-api\nbackends: [\n", "medical-api"),
        ("version: 1\n\tname: x\nname: medical-api # c\n", "medical-api"),
        ("name: medical-api\r\nbackends: {\r\n", "medical-api"),
        ('"name": "medical-api"\nx: @\n', "medical-api"),
        ("{name: medical-api, x: [}", "medical-api"),
        ("vars:\n  name: other\nphases: [\n", None),
        ("name: Not A Name\n", None),
        ("name: ${NAME}\n", None),
        ("name: 5\n", None),
        ("name: [a]\n", None),
        ("- name: a\n", None),
        ("", None),
        ("\0", None),
    ],
)
def test_the_name_is_found_in_a_plan_that_need_not_parse(text: str, name: str | None, write: Write) -> None:
    assert peek_name(write(text)) == name


def test_peeking_at_what_is_no_file_finds_no_name(tmp_path: Path, write: Write) -> None:
    assert peek_name(tmp_path) is None
    assert peek_name(tmp_path / "no.yml") is None
    assert peek_name(Path("/dev/zero")) is None
    assert peek_name(write(b"name: a\n" + b"#" * 2_000_000)) is None
    assert peek_name(write(b"name: a\n\xff\xfe")) is None


def test_a_thousand_routes_load_within_a_second(load: Load, head: str) -> None:
    routes = "".join(f"    - {{path: /api/v{n}/, to: new}}\n" for n in range(1000))
    began = time.process_time()
    loaded = load(head + "  routes:\n" + routes + "phases: {}\n")
    assert time.process_time() - began < 1
    assert len(loaded.plan.proxy.routes) == 1000
