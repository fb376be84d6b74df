"""Runs benchmarks and writes what they say into benchmarks/README.md.

    python benchmarks/run.py [NAME ...]

Each NAME is a file's, as in `shift` for bench_shift.py; without any, all run. Each has a process of its own.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from benchmarks.figures import markdown, say

FOLDER = Path(__file__).parent
RESULTS = FOLDER / "results"
README = FOLDER / "README.md"
# In the order of the README.
NAMES = ("lost", "shift", "commands", "load", "journal", "parity", "traffic", "detect")
TIMEOUT_S = 600.0
END_TIMEOUT_S = 30.0


def main() -> None:
    parser = ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(NAMES)}; default: all")
    names = parser.parse_args().names or NAMES
    if unknown := set(names) - set(NAMES):
        parser.error(f"no benchmark {', '.join(sorted(unknown))}; there are {', '.join(NAMES)}")
    failed = [name for name in names if not measured(name)]
    missed = [f"{name}: {what}" for name in names if name not in failed for what in missed_budgets(name)]
    print("\n".join(["", *(f"failed: {name}" for name in failed), *(f"budget missed: {one}" for one in missed)]))
    sys.exit(bool(failed))


def measured(name: str) -> bool:
    """Whether the benchmark ran to its end; then its results are kept and shown."""
    say(f"== {name}")
    out = output(name)
    if out is None:
        return False
    data = json.loads(out)
    RESULTS.mkdir(exist_ok=True)
    result_file(name).write_text(out)
    README.write_text(with_section(README.read_text(), name, section(data)))
    print(f"\n## {name}\n\n{markdown(data)}", flush=True)
    return True


def output(name: str) -> str | None:
    """Its JSON. One that hangs is interrupted, so that it ends what it started."""
    command = [sys.executable, str(FOLDER / f"bench_{name}.py"), "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            out, _ = process.communicate(timeout=TIMEOUT_S)
        except subprocess.TimeoutExpired:
            say(f"{name} did not end within {TIMEOUT_S:g} s")
            process.send_signal(signal.SIGINT)
            try:
                process.communicate(timeout=END_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                process.kill()
            return None
    return out if process.returncode == 0 else None


def missed_budgets(name: str) -> list[str]:
    budgets = json.loads(result_file(name).read_text())["budgets"]
    return [f"{budget['what']}: {budget['measured']:.2f}" for budget in budgets if budget["kept"] is False]


def result_file(name: str) -> Path:
    return RESULTS / f"{name}.json"


def section(data: dict[str, Any]) -> str:
    """What stands between a benchmark's markers in the README."""
    known = data["machine"]
    machine = (
        f"{known['cores']} cores ({known['cpu']}), Linux {known['kernel']}, Python {known['python']}, "
        f"nginx {known['nginx']}, HAProxy {known['haproxy']}, wrk {known['wrk']}, k6 {known['k6']}."
    )
    return f"`python benchmarks/bench_{data['benchmark']}.py` on {machine}\n\n{markdown(data)}"


def with_section(text: str, name: str, body: str) -> str:
    begin, end = f"<!-- {name}: begin -->", f"<!-- {name}: end -->"
    head, found, rest = text.partition(begin)
    _, closed, tail = rest.partition(end)
    if not found or not closed:
        raise SystemExit(f"{README} has no place for {name}: it needs {begin} and {end}")
    return f"{head}{begin}\n\n{body}\n\n{end}{tail}"


if __name__ == "__main__":
    main()
