"""The documentation and the command line say the same."""

from __future__ import annotations

import asyncio
import re
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command
from typer.testing import CliRunner

from cutover import errors
from cutover.cli.app import app
from cutover.demo.faults import FAULTS
from cutover.engine.opening import HANDLED_SIGNALS, Options
from cutover.engine.overview import status
from tests.docs.markdown import PAGES, README, ROOT, Command, code, commands, headings, section, table

COMMANDS = ROOT / "docs" / "commands.md"
GROUP = get_command(app)
SHOWN = [command for page in PAGES for command in commands(page)]


def _leaves(command: object, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], TyperCommand]]:
    if isinstance(command, TyperGroup):
        for name, inner in command.commands.items():
            yield from _leaves(inner, (*path, name))
        return
    assert isinstance(command, TyperCommand)
    yield path, command


LEAVES = dict(_leaves(GROUP))


def _options(command: TyperCommand) -> set[str]:
    return {name for p in command.params if p.param_type_name == "option" for name in (*p.opts, *p.secondary_opts)}


COMMON = set.intersection(*map(_options, LEAVES.values()))


def test_every_command_has_a_heading_and_no_heading_names_another() -> None:
    named = [tuple(heading.split()[1:]) for heading in headings(COMMANDS) if heading.startswith("cutover ")]
    assert sorted(named) == sorted(LEAVES)


def test_the_commands_table_of_the_readme_lists_every_command() -> None:
    assert isinstance(GROUP, TyperGroup)
    rows = table(README, "Commands", "command")
    assert sorted(code(row[0])[0] for row in rows) == sorted(GROUP.commands)
    (proxy,) = [row for row in rows if "`proxy`" in row[0]]
    group = GROUP.commands["proxy"]
    assert isinstance(group, TyperGroup)
    assert set(group.commands) <= set(code(proxy[1]))


@pytest.mark.parametrize("path", LEAVES, ids=" ".join)
def test_a_command_is_documented_with_all_its_options_and_no_others(path: tuple[str, ...]) -> None:
    text = section(COMMANDS, " ".join(("cutover", *path)))
    documented = {name for line in text.splitlines() if line.startswith("| `-") for name in code(line.split("|")[1])}
    assert documented == _options(LEAVES[path]) - COMMON


def test_the_options_everywhere_are_those_that_all_commands_take() -> None:
    documented = {name for row in table(COMMANDS, "Options everywhere", "option") for name in code(row[0])}
    assert documented - {"--help", "-h"} == COMMON


@pytest.mark.parametrize("path", LEAVES, ids=" ".join)
def test_help_exits_with_0_and_names_the_documented_options(path: tuple[str, ...]) -> None:
    done = CliRunner().invoke(app, [*path, "--help"], prog_name="cutover", env={"COLUMNS": "200"})
    assert done.exit_code == 0
    long = {name for name in _options(LEAVES[path]) if name.startswith("--")}
    assert long <= set(re.findall(r"--[a-z-]+", done.output))
    assert LEAVES[path].help


@pytest.mark.parametrize("path", LEAVES, ids=" ".join)
def test_every_command_has_an_example(path: tuple[str, ...]) -> None:
    heading = " ".join(("cutover", *path))
    mine = [shown.words[1 : len(path) + 1] for shown in commands(COMMANDS) if shown.heading == heading]
    assert path in mine


@pytest.mark.parametrize("shown", SHOWN, ids=lambda shown: f"{shown.where} {' '.join(shown.words)}")
def test_a_command_that_the_docs_show_is_one_with_options_that_it_has(shown: Command) -> None:
    if shown.words[0] == "make":
        assert re.search(rf"^{shown.words[1]}:", (ROOT / "Makefile").read_text(), re.MULTILINE)
        return
    named = [path for path in LEAVES if shown.words[1 : len(path) + 1] == path]
    assert len(named) == 1, f"{shown.where}: {' '.join(shown.words)} is no command"
    LEAVES[named[0]].make_context("cutover", list(shown.words[len(named[0]) + 1 :]))


def _leaving(line: list[str]) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", line[0])]


@pytest.mark.parametrize(("page", "heading"), [(README, "Exit codes"), (COMMANDS, "Exit codes")])
def test_the_table_of_exit_codes_has_those_that_there_are(page: Path, heading: str) -> None:
    told = [number for row in table(page, heading, "exit") for number in _leaving(row)]
    constants = [value for name, value in vars(errors).items() if name.startswith("EXIT_")]
    interrupted = [128 + int(number) for number in HANDLED_SIGNALS]
    assert sorted(told) == sorted([*constants, *interrupted])
    assert {signal.Signals(n - 128).name for n in told if n > 128} == {"SIGHUP", "SIGINT", "SIGTERM"}


def test_both_tables_of_exit_codes_agree() -> None:
    ours, theirs = (table(page, "Exit codes", "exit") for page in (README, COMMANDS))
    assert [row[0] for row in ours] == [row[0] for row in theirs]
    assert [row[1] for row in ours][:-1] == [row[1] for row in theirs][:-1]


def test_the_keys_of_status_are_documented(tmp_path: Path) -> None:
    plan = tmp_path / "cutover.yml"
    plan.write_text("name: nothing-here\n")
    data = asyncio.run(status(Options(plan_file=plan, store=str(tmp_path / "state"))))
    assert [code(row[0])[0] for row in table(COMMANDS, "cutover status", "key")] == list(data)


def test_the_states_of_a_run_are_those_of_operations() -> None:
    (row,) = [row for row in table(COMMANDS, "cutover status", "key") if row[0] == "`state`"]
    rows = table(ROOT / "docs" / "operations.md", "What is going on?", "state")
    assert sorted(code(row[1])) == sorted(name for row in rows for name in code(row[0]))


def test_the_demos_faults_are_documented() -> None:
    told = {code(row[0])[0]: row[1] for row in table(COMMANDS, "cutover demo", "fault")}
    assert told == {fault.name: fault.title for fault in FAULTS.values()}
