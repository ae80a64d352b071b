"""Ctrl-C at every moment of a command's first seconds: one line at most, and the exit status 130.

    python tests/drills/interrupts.py --moments 100
    python tests/drills/interrupts.py --moments 100 --twice

A build, a training and sampling are started again and again, and get SIGINT at moments that are evenly spaced from
their start to their end or, for the training, to its tenth step; with `--twice`, a second one 30 ms after the first.
Until Python has come to gantk's first line, after about a tenth of a second, gantk cannot change what happens: these
moments are counted apart.
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

PARTS = ("--noise", "gaussian:dim=2", "--generator", "dcgan:width=2", "--discriminator", "dcgan:width=2")
BUILD = ("build", "dcgan", *PARTS, "--set", "stages.game.batch_size=4", "--set", "train.accelerator=cpu")
PAUSE = 0.03
"""Seconds between two signals."""
COME = "GANTK_DRILL"
"""The variable with a descriptor to which a process writes when it has come to gantk's code."""
START = f"""
import os, sys
import gantk.interrupts
gantk.interrupts.handle()
os.write(int(os.environ[{COME!r}]), b"x")
from gantk.__main__ import main
sys.argv[0] = "gantk"
main()
"""


class Ran:
    """A command that may have been interrupted."""

    def __init__(self, words: Sequence[str], folder: Path, after: float | None, twice: bool, steps: bool) -> None:
        reading, writing = os.pipe()
        process = subprocess.Popen(
            [sys.executable, "-c", START, *words],
            cwd=folder,
            env={**os.environ, COME: str(writing), "OMP_NUM_THREADS": "1"},
            pass_fds=[writing],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        os.close(writing)
        began = time.monotonic()
        if after is not None:
            time.sleep(after)
            process.send_signal(signal.SIGINT)
            if twice:
                time.sleep(PAUSE)
                process.send_signal(signal.SIGINT)
        assert process.stderr is not None
        lines = []
        for line in process.stderr:
            lines.append(line)
            if steps and after is None and line.startswith("game 10/"):
                break
        self.seconds = time.monotonic() - began
        if process.poll() is None and steps and after is None:
            process.kill()
        lines += process.stderr.readlines()
        self.status = process.wait()
        self.err = "".join(lines)
        self.came = os.read(reading, 1) == b"x"
        os.close(reading)


def lines_of(err: str, usual: str) -> list[str]:
    """What it said beyond what it says where nothing happens."""
    known = set(usual.splitlines())
    return [line for line in err.splitlines() if line not in known and not line.startswith(("game ", "game: "))]


def drill(words: Sequence[str], folder: Path, moments: int, twice: bool) -> Counter[str]:
    steps = words[0] == "train"
    shutil.copytree(folder / "long", folder / "copy")
    usual = Ran(words, folder, None, False, steps)
    counts: Counter[str] = Counter()
    for number in range(moments):
        shutil.rmtree(folder / "copy")
        shutil.copytree(folder / "long", folder / "copy")
        after = usual.seconds * (number + 0.5) / moments
        ran = Ran(words, folder, after, twice, steps)
        said = lines_of(ran.err, usual.err)
        counts["attempts"] += 1
        if not ran.came:
            counts["before gantk"] += 1
        elif ran.status == 0 and not said:
            counts["had ended"] += 1
        elif ran.status == 130 and len(said) == 1 and said[0].startswith("gantk: "):
            counts["stopped with one line"] += 1
        elif ran.status == 130 and steps and len(said) == 2 and "after step" in said[-1]:
            counts["finished a step and saved"] += 1
        elif ran.status == 130 and not said:
            counts["stopped while it ended"] += 1
        else:
            counts["failures"] += 1
            print(f"gantk {words[0]} after {after:.3f} s: status {ran.status}\n{ran.err}", flush=True)
    return counts


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--moments", type=int, default=100)
    parser.add_argument("--twice", action="store_true")
    given = parser.parse_args()
    failures = 0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        Ran([*BUILD, "-o", "run", "--set", "stages.game.length=1 steps"], folder, None, False, False)
        Ran(["train", "run"], folder, None, False, False)
        more = ("--set", "stages.game.length=100000 steps", "--set", "train.log_every=10")
        Ran([*BUILD, *more, "-o", "long"], folder, None, False, False)
        for words in ([*BUILD, "--dry-run"], ["train", "copy"], ["sample", "run", "-n", "4", "-o", "images"]):
            shutil.rmtree(folder / "copy", ignore_errors=True)
            counts = drill(words, folder, given.moments, given.twice)
            print(f"gantk {words[0]}: " + ", ".join(f"{value} {key}" for key, value in counts.items()), flush=True)
            failures += counts["failures"]
    return failures != 0


if __name__ == "__main__":
    sys.exit(main())
