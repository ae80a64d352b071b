"""Ctrl-C in commands; the drill of every moment is tests/drills/interrupts.py."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")

FRAME = """
import os, signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)  # a background job of a shell ignores it
from gantk import interrupts
from gantk.cli import main as commands
from gantk.__main__ import main
import click

def ctrl_c():
    os.kill(os.getpid(), signal.SIGINT)

@click.command("list")
def command():
    try:
        work()
    finally:
        print("undone", flush=True)

commands.Commands.get_command = lambda self, context, name: command
sys.argv[1:] = ["list"]
{work}
main()
"""


def ran(work: str, folder: Path) -> tuple[int, str, str]:
    """The status of a command that does some work, and what it said."""
    code = FRAME.format(work=textwrap.dedent(work))
    done = subprocess.run([sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, timeout=60)
    return done.returncode, done.stdout, done.stderr


LINE = "gantk: stopped\n"


def test_it_stops_and_what_is_open_is_closed(tmp_path: Path) -> None:
    assert ran("work = ctrl_c", tmp_path) == (130, "undone\n", LINE)


def test_in_an_import_it_stops_at_once(tmp_path: Path) -> None:
    """Whatever the module makes of exceptions."""
    (tmp_path / "slow.py").write_text(
        "import os, signal\ntry:\n    os.kill(os.getpid(), signal.SIGINT)\nexcept BaseException:\n    pass\n"
    )
    assert ran("def work(): import slow; print('on')", tmp_path) == (130, "", LINE)


@pytest.mark.parametrize(
    "work",
    [
        "def work():\n    try: ctrl_c()\n    except KeyboardInterrupt: raise ImportError('broken') from None",
        "def work():\n    try: ctrl_c()\n    finally: ctrl_c()",
        "class Freed:\n    def __del__(self): ctrl_c()\ndef work():\n    Freed()\n    print('on')",
        "import atexit\natexit.register(ctrl_c)\nwork = ctrl_c",
        "import threading\nthreading._register_atexit(ctrl_c)\nwork = ctrl_c",
    ],
    ids=["another exception is made of it", "twice", "while an object is freed", "at the end", "at the end of threads"],
)
def test_it_is_not_lost_and_says_one_line(work: str, tmp_path: Path) -> None:
    status, out, err = ran(work, tmp_path)
    assert (status, err) == (130, LINE)
    assert out in ("", "undone\n")


def test_after_the_work_it_says_nothing(tmp_path: Path) -> None:
    work = "import atexit\ndef work():\n    atexit.register(ctrl_c)\n    print('done')"
    assert ran(work, tmp_path) == (130, "done\nundone\n", "")
    work = "import atexit\natexit.register(ctrl_c)\ndef work(): print('done')"
    assert ran(work, tmp_path) == (0, "done\nundone\n", ""), "Python has begun to free everything"


def test_ignored_it_stays_ignored(tmp_path: Path) -> None:
    """As in what a shell starts in the background."""
    work = "signal.signal(signal.SIGINT, signal.SIG_IGN)\ndef work(): ctrl_c(); print('on')"
    assert ran(work, tmp_path) == (0, "on\nundone\n", "")
