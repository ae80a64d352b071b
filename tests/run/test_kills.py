"""A training that is killed or whose file operations fail ends in the same bits.

The long form: tests/drills/kills.py.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

DRILL = Path(__file__).parents[1] / "drills/kills.py"


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="the drill forks")
@pytest.mark.parametrize(("what", "end"), [("operations", "killed"), ("faults", "ended with one line")])
def test_some_file_operations(what: str, end: str) -> None:
    """In a process of its own, which has no threads that a fork would lose."""
    arguments = [sys.executable, str(DRILL), what, "--every", "53"]
    done = subprocess.run(
        arguments, env={**os.environ, "OMP_NUM_THREADS": "1"}, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.match(rf"{what}: \d attempts, \d {end}", done.stdout)
