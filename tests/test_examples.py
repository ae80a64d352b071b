"""The example packages, installed with pip beside gantk, are used by name; gantk stays as it is."""

from __future__ import annotations

import json
import os
import shutil
import sys
import zipfile
from importlib.metadata import version
from pathlib import Path

import pytest
from forked import gantk_forked
from installing import EXAMPLES, WITHOUT_NETWORK, copied, installed, run

NAMES = ("gantk-spherical", "gantk-ten-systems")


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("source")
    return {name: copied(name, folder) for name in NAMES}


@pytest.fixture(scope="module")
def place(sources: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the packages are installed."""
    target = tmp_path_factory.mktemp("installed")
    for source in sources.values():
        installed(source, target)
    return target


def _gantk(arguments: list[str], cwd: Path, place: Path) -> str:
    done = gantk_forked(*arguments, cwd=cwd, env={**os.environ, "PYTHONPATH": str(place)})
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.decode()


@pytest.mark.parametrize("name", NAMES)
def test_a_wheel_holds_every_file_of_the_package(name: str, sources: dict[str, Path], tmp_path: Path) -> None:
    command = [sys.executable, "-m", "pip", "wheel", *WITHOUT_NETWORK, "-w", str(tmp_path), str(sources[name])]
    run(command, tmp_path)
    (wheel,) = tmp_path.glob("*.whl")
    held = {entry for entry in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in entry}
    code = next(path.parent for path in (EXAMPLES / name).glob("*/__init__.py"))
    assert held == {
        path.relative_to(EXAMPLES / name).as_posix() for end in ("*.py", "*.toml") for path in code.rglob(end)
    }


def test_is_listed_with_its_package(place: Path, tmp_path: Path) -> None:
    rows = [line.split()[:4] for line in _gantk(["list", "noise"], tmp_path, place).splitlines()]
    assert ["noise", "spherical", "gantk-spherical", "0.1.0"] in rows
    assert ["noise", "gaussian", "gantk", version("gantk")] in rows


def test_is_shown_with_its_options(place: Path, tmp_path: Path) -> None:
    shown = json.loads(_gantk(["show", "loss", "mini-feature-matching", "--json"], tmp_path, place))
    assert shown["package"] == "gantk-spherical"
    assert "Salimans" in shown["paper"]
    assert [option["name"] for option in shown["options"]] == ["layer", "weight"]
    assert (shown["needs"], shown["roles"]) == (["hidden"], ["generator"])


@pytest.fixture(scope="module")
def built(place: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A run that uses the package, and what building it printed; copy it before you change it."""
    folder = tmp_path_factory.mktemp("built")
    parts = [
        "--noise",
        "spherical:dim=32",
        "--loss",
        "mini-feature-matching:weight=0.5",
        "--generator",
        "dcgan:width=8",
    ]
    settings = ["--set", "stages.game.length=2 steps", "--set", "stages.game.batch_size=8"]
    return folder / "run", _gantk(["build", *parts, *settings, "-o", "run"], folder, place)


@pytest.mark.slow
def test_is_built_trained_and_sampled_by_name(place: Path, built: tuple[Path, str], tmp_path: Path) -> None:
    run, said = built
    shutil.copytree(run, tmp_path / "run")
    assert "gantk-spherical 0.1.0" in said
    assert "nonsaturating + 0.5·mini-feature-matching" in said
    _gantk(["train", "run"], tmp_path, place)
    logged = [json.loads(line) for line in (tmp_path / "run" / "log.jsonl").read_text().splitlines()]
    assert "generator/mini-feature-matching" in logged[-1]["values"]
    _gantk(["sample", "run", "-n", "4", "-o", "grid.png"], tmp_path, place)
    assert (tmp_path / "grid.png").stat().st_size > 0


@pytest.mark.slow
def test_without_its_package_a_run_says_what_is_missing(built: tuple[Path, str], tmp_path: Path) -> None:
    shutil.copytree(built[0], tmp_path / "run")
    done = gantk_forked("train", "run", cwd=tmp_path)
    assert done.returncode == 2
    assert b"spherical" in done.stderr
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_its_own_tests_pass(name: str, sources: dict[str, Path], place: Path) -> None:
    pytest_quiet = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-c", os.devnull, "tests"]
    found = run(pytest_quiet, sources[name], place)
    assert " passed" in found
    assert "failed" not in found
