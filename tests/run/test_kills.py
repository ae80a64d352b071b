"""Trainings that are killed, or around which something fails, end in the same bits, and samples are whole or not there.

The long forms: tests/drills/kills.py, surroundings.py, memory.py and commands.py.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
from forked import gantk_forked

DRILLS = Path(__file__).parents[1] / "drills"

pytestmark = [pytest.mark.slow, pytest.mark.skipif(not hasattr(os, "fork"), reason="the drills fork")]


def drilled(name: str, *arguments: str) -> str:
    """What a drill printed, in a process of its own, which has no threads that a fork would lose."""
    done = gantk_forked(*arguments, script=DRILLS / name, cwd=Path.cwd(), timeout=300)
    assert done.returncode == 0, (done.stdout + done.stderr).decode()
    return done.stdout.decode()


@pytest.mark.parametrize(("what", "end"), [("operations", "killed"), ("faults", "ended with one line")])
def test_some_file_operations_of_a_training(what: str, end: str) -> None:
    assert re.search(rf"^{what}: \d attempts, \d {end}", drilled("kills.py", what, "--every", "53"), re.M)


@pytest.mark.parametrize("what", ["operations", "faults"])
def test_some_file_operations_of_a_resumed_training_on_two_devices(what: str) -> None:
    """The other device ends with one line."""
    said = drilled("kills.py", what, "--devices", "2", "--resumed", "--first", "5", "--every", "70")
    assert re.search(rf"^{what}: (\d) attempts, .*\b\1 ended with one line$", said, re.M)


@pytest.mark.parametrize(("what", "attempts"), [("data", 3), ("clock", 2)])
def test_data_that_vanish_and_a_wrong_clock(what: str, attempts: int) -> None:
    assert f"\n{what}: {attempts} attempts" in "\n" + drilled("surroundings.py", what, "--attempts", str(attempts))


def test_some_file_operations_of_a_sample() -> None:
    assert re.search(r"^sample-folder: .*, 0 failures$", drilled("commands.py", "sample-folder", "--every", "6"), re.M)


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="the drill reads how much memory a process has")
def test_memory_runs_out_in_the_middle_of_a_training() -> None:
    assert "memory: 2 attempts" in drilled("memory.py", "--attempts", "2", "--seed", "2")
