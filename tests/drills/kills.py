"""A training that is killed, or whose file operations fail, ends in the same bits once it is resumed.

    python tests/drills/kills.py random --attempts 100
    python tests/drills/kills.py operations
    python tests/drills/kills.py faults

`random`: SIGKILL after random times. `operations`: SIGKILL before every file operation of a training, one at a time.
`faults`: ENOSPC, EIO, EACCES or EMFILE in turn, or each of them with `--all-errors`, at every file operation, one at a
time; the training must end with one line, or go on. After each, the run is trained to its end, and its weights,
optimizers and log must be those of a run that nothing happened to.
"""

from __future__ import annotations

import argparse
import errno
import os
import random
import shutil
import signal
import sys
import tempfile
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

import gantk
from gantk.building.assembly import assemble
from gantk.errors import GantkError
from gantk.run.checkpoints import read_training, read_weights
from gantk.run.entries import read_log
from gantk.run.folder import Run
from gantk.training.progress import Silent

sys.path.insert(0, str(Path(__file__).parents[1]))
from drills.operations import Operations

SETTINGS = {
    "stages.game.length": "4 steps",
    "stages.game.batch_size": 4,
    "train.checkpoint_every": 1,
    "train.keep": 2,
    "train.log_every": 2,
    "train.samples": 4,
    "train.sample_every": 4,
}
ERRORS = (errno.ENOSPC, errno.EIO, errno.EACCES, errno.EMFILE)


def build(path: Path) -> None:
    small = {"noise": "gaussian:dim=4", "generator": "dcgan:width=2", "discriminator": "dcgan:width=2"}
    Run(path).create(gantk.build("dcgan", data="digits", **small, settings=SETTINGS).built.spec)


def train(path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        gantk.train(assemble(Run(path).spec()), path, progress=Silent())


def outcome(path: Path) -> Any:
    """What must be the same after everything."""
    run = Run(path)
    state = read_training(run.latest())
    log = [(entry["step"], entry["values"]) for entry in read_log(run.log_file)]
    return run.steps(), read_weights(run.latest()), state.place, state.optimizers, log


def same(one: Any, other: Any) -> bool:
    if isinstance(one, torch.Tensor):
        return torch.equal(one, other)
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(value, other[key]) for key, value in one.items())
    if isinstance(one, (list, tuple)):
        return len(one) == len(other) and all(map(same, one, other))
    return bool(one == other)


def forked(work: Callable[[], None], kill_after: float | None = None) -> int:
    """Do some work in a process of its own; returns its exit status, or minus the signal that ended it."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            work()
            code = 0
        except (GantkError, OSError) as error:
            code = 3 if "\n" not in str(error) else 4
        except BaseException:  # noqa: BLE001 - whatever else it is, it is a failure of this drill
            traceback.print_exc()
        finally:
            os._exit(code)
    if kill_after is not None:
        time.sleep(kill_after)
        os.kill(child, signal.SIGKILL)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


class Drill:
    """Does something to copies of one run, trains each to its end, and compares."""

    def __init__(self, folder: Path) -> None:
        self.built, self.copy = folder / "built", folder / "copy"
        build(self.built)
        shutil.copytree(self.built, self.copy)
        began = time.monotonic()
        assert forked(lambda: train(self.copy)) == 0
        self.seconds = time.monotonic() - began
        self.expected = outcome(self.copy)
        self.counts: Counter[str] = Counter()

    def attempt(self, what: str, disturb: Callable[[], int]) -> None:
        """Disturb a training of a fresh copy, which returns its status, and train the copy to its end."""
        shutil.rmtree(self.copy)
        shutil.copytree(self.built, self.copy)
        status = disturb()
        self.counts["attempts"] += 1
        self.counts["killed"] += status == -signal.SIGKILL
        self.counts["ended with one line"] += status == 3
        self.counts["went on"] += status == 0
        if status in (1, 4):
            self._fail(f"{what}: ended with status {status}")
        elif forked(lambda: train(self.copy)) != 0:
            self._fail(f"{what}: cannot be resumed")
        elif not same(outcome(self.copy), self.expected):
            self._fail(f"{what}: ended in other bits")

    def _fail(self, text: str) -> None:
        self.counts["failures"] += 1
        print(text, flush=True)

    def disturbed(self, number: int, happens: Callable[[], None]) -> int:
        operations = Operations(self.copy, number, happens)

        def work() -> None:
            with operations.counted():
                train(self.copy)

        return forked(work)

    def operations(self) -> int:
        """The number of file operations of a training."""
        shutil.rmtree(self.copy)
        shutil.copytree(self.built, self.copy)
        found = Operations(self.copy)
        with found.counted():
            train(self.copy)
        return found.count


def killed() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def failing(number: int) -> Callable[[], None]:
    def fail() -> None:
        raise OSError(number, os.strerror(number))

    return fail


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["random", "operations", "faults"])
    parser.add_argument("--attempts", type=int, default=100, help="of random kills")
    parser.add_argument("--steps", type=int, default=2, help="length of the training, with a checkpoint after each")
    parser.add_argument("--every", type=int, default=1, metavar="N", help="at every Nth file operation only")
    parser.add_argument("--all-errors", action="store_true", help="every error at every operation")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    torch.set_num_threads(1)
    SETTINGS["stages.game.length"] = f"{args.steps} steps"
    rng = random.Random(args.seed)
    with tempfile.TemporaryDirectory() as folder:
        drill = Drill(Path(folder))
        if args.what == "random":
            for number in range(args.attempts):
                after = rng.uniform(0, drill.seconds)
                drill.attempt(f"kill {number}", lambda after=after: forked(lambda: train(drill.copy), after))
        else:
            many = drill.operations()
            happenings = [killed] if args.what == "operations" else [failing(each) for each in ERRORS]
            for number in range(1, many + 1, args.every):
                for index, happens in enumerate(happenings):
                    if len(happenings) > 1 and not args.all_errors and number % len(happenings) != index:
                        continue
                    what = f"operation {number}, {'kill' if happens is killed else errno.errorcode[ERRORS[index]]}"
                    drill.attempt(what, lambda n=number, h=happens: drill.disturbed(n, h))
    print(f"{args.what}: " + ", ".join(f"{count} {name}" for name, count in drill.counts.items() if count))
    raise SystemExit(bool(drill.counts["failures"]))


if __name__ == "__main__":
    main()
