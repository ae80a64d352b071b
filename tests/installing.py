"""Example packages, installed with pip beside gantk as a user would, into a folder of their own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

__all__ = ["EXAMPLES", "WITHOUT_NETWORK", "copied", "installed", "run"]

EXAMPLES = Path(__file__).parents[1] / "examples"
WITHOUT_NETWORK = ("--no-index", "--no-deps", "--no-build-isolation", "--disable-pip-version-check", "--quiet")


def copied(example: str, folder: Path) -> Path:
    """A copy to install from: pip builds in place, and would leave its folders in the repository."""
    ignored = shutil.ignore_patterns("build", "*.egg-info", "__pycache__")
    return Path(shutil.copytree(EXAMPLES / example, folder / example, ignore=ignored))


def installed(source: Path, folder: Path) -> Path:
    """The folder, with the package in it."""
    run([sys.executable, "-m", "pip", "install", *WITHOUT_NETWORK, "--target", str(folder), str(source)], folder)
    return folder


def run(command: list[str], cwd: Path, place: Path | None = None) -> str:
    """What a command prints, in an environment that also has the packages of a place."""
    given = {**os.environ, "PYTHONPATH": str(place)} if place else {**os.environ}
    done = subprocess.run(command, cwd=cwd, env=given, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
    return done.stdout
