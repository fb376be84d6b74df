"""The wheel and the sdist: whole, clean, and of use from any folder."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import tarfile
import venv
import zipfile
from dataclasses import dataclass
from pathlib import Path

import pytest

from cutover import __version__
from cutover.plan.starters import starter, starters

ROOT = Path(__file__).parents[1]
BUILD_TIMEOUT_S = 100


@dataclass(frozen=True)
class Built:
    """What a build left in a folder: contents by name, that of the sdist without its leading folder."""

    folder: Path

    @property
    def wheel_file(self) -> Path:
        return next(self.folder.glob("*.whl"))

    def wheel(self) -> dict[str, bytes]:
        with zipfile.ZipFile(self.wheel_file) as archive:
            return {name: archive.read(name) for name in archive.namelist()}

    def sdist(self) -> dict[str, bytes]:
        with tarfile.open(next(self.folder.glob("*.tar.gz"))) as archive:
            opened = {member.name: archive.extractfile(member) for member in archive if member.isfile()}
            return {name.partition("/")[2]: file.read() for name, file in opened.items() if file is not None}


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    """Both, the wheel made from the sdist, with the build backend of this environment: nothing is downloaded."""
    folder = tmp_path_factory.mktemp("dist")
    run(sys.executable, "-m", "build", "--no-isolation", "--outdir", str(folder), str(ROOT), cwd=folder)
    return Built(folder)


@pytest.fixture(scope="module")
def bin_folder(built: Built, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The programs of a fresh environment with the wheel in it; its dependencies are those of this environment."""
    home = tmp_path_factory.mktemp("environment")
    venv.create(home, with_pip=False)
    python = home / "bin" / "python"
    run(
        sys.executable, "-m", "pip", "--python", str(python), "install", "--no-deps", "--no-index", "--quiet",
        "--disable-pip-version-check", "--no-cache-dir", str(built.wheel_file),
        cwd=home,
    )  # fmt: skip
    # A line in a .pth file adds the folder alone, and not what its own .pth files say: no cutover of a checkout.
    site_packages = Path(run(str(python), "-c", "import sysconfig; print(sysconfig.get_path('purelib'))", cwd=home))
    (site_packages / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return home / "bin"


@pytest.fixture
def elsewhere(tmp_path: Path, bin_folder: Path) -> Path:
    """A folder that is no checkout, as seen by the installed package."""
    code = "import cutover; print(cutover.__file__)"
    assert run(str(bin_folder / "python"), "-c", code, cwd=tmp_path).startswith(str(bin_folder.parent))
    return tmp_path


def run(*args: str, cwd: Path, **variables: str) -> str:
    """Standard output of a program that has to succeed, without the environment's say on where modules are."""
    env = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "CUTOVER_", "XDG_"))}
    done = subprocess.run(
        args, cwd=cwd, env={**env, "XDG_STATE_HOME": str(cwd / "state"), **variables}, stdin=subprocess.DEVNULL,
        capture_output=True, text=True, timeout=BUILD_TIMEOUT_S, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.rstrip("\n")


def test_the_wheel_holds_the_package_and_nothing_else(built: Built) -> None:
    names = built.wheel()
    assert {name.partition("/")[0] for name in names} == {"cutover", f"cutover-{__version__}.dist-info"}
    assert not [name for name in names if "test_" in name or "conftest" in name or name.endswith(".pyc")]
    assert "cutover/py.typed" in names


@pytest.mark.parametrize("folder", ["templates", "plans"])
def test_the_wheel_holds_every_template_and_every_plan(built: Built, folder: str) -> None:
    wheel = built.wheel()
    here = {file.relative_to(ROOT / folder).as_posix(): file.read_bytes() for file in files(ROOT / folder)}
    packaged = f"cutover/_{folder}/"
    assert {name.removeprefix(packaged): data for name, data in wheel.items() if name.startswith(packaged)} == here


def test_the_sdist_holds_what_is_needed_to_build_and_to_test(built: Built) -> None:
    sdist = built.sdist()
    assert {"pyproject.toml", "README.md", "LICENSE", "Makefile", "PKG-INFO", "tests/test_packaging.py"} <= set(sdist)
    assert {name.partition("/")[0] for name in sdist} >= {"cutover", "templates", "plans", "tests"}
    assert not [name for name in sdist if "__pycache__" in name]


@pytest.mark.parametrize("kind", ["wheel", "sdist"])
def test_no_path_of_the_machine_that_built_it_is_in_it(built: Built, kind: str) -> None:
    contents = built.wheel() if kind == "wheel" else built.sdist()
    local = {f"{path}/".encode() for path in (ROOT, sys.prefix, Path.home(), built.folder)} - {b"//"}
    assert [name for name, data in contents.items() if any(path in data for path in local)] == []


def test_the_installed_command_says_its_version(elsewhere: Path, bin_folder: Path) -> None:
    assert run(str(bin_folder / "cutover"), "--version", cwd=elsewhere).split()[-1] == __version__


def test_an_installed_cutover_writes_checks_and_renders_a_plan(elsewhere: Path, bin_folder: Path) -> None:
    cutover = str(bin_folder / "cutover")
    run(cutover, "init", cwd=elsewhere)
    assert "no mistakes" in run(cutover, "check", cwd=elsewhere)
    rendered = run(cutover, "render", "--weight", "10", cwd=elsewhere)
    assert "# weight: 10\n" in rendered
    assert "server 127.0.0.1:8000 weight=90 " in rendered


def test_an_installed_cutover_has_every_shipped_plan(elsewhere: Path, bin_folder: Path) -> None:
    cutover = str(bin_folder / "cutover")
    assert [line.split()[0] for line in run(cutover, "init", "--list", cwd=elsewhere).splitlines()] == list(starters())
    run(cutover, "init", "--template", "medical-api", cwd=elsewhere)
    assert (elsewhere / "cutover.yml").read_text() == starter("medical-api")
    assert "no mistakes" in run(cutover, "check", cwd=elsewhere, API_TOKEN="token-of-fastapi")


def files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]
