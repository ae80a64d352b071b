"""A training that is killed, or whose file operations fail, ends in the same bits once it is resumed.

    python tests/drills/kills.py random --attempts 100
    python tests/drills/kills.py operations
    python tests/drills/kills.py faults
    python tests/drills/kills.py random --devices 2

`random`: SIGKILL after random times. `operations`: SIGKILL before every file operation of a training, one at a time.
`faults`: ENOSPC, EIO, EACCES or EMFILE in turn, or each of them with `--all-errors`, at every file operation, one at a
time; the training must end with one line, or go on. After each, the run is trained to its end, and its weights,
optimizers and log must be those of a run that nothing happened to.

With `--devices N`, a training consists of N processes, as torchrun starts them: a random one of them or all are killed,
and each file operation of each of them is killed or fails. The others must end with one line, or else, as they do while
they wait for the first connection, are counted as `waited` and ended after five seconds, as launchers do. `random
--by-command` does the same to `gantk train RUN --devices N`, which starts its processes itself.
"""

from __future__ import annotations

import argparse
import errno
import logging
import os
import random
import shutil
import signal
import sys
import tempfile
import time
import warnings
from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch

import gantk
from gantk.building.assembly import assemble
from gantk.run.checkpoints import read_training, read_weights
from gantk.run.entries import read_log
from gantk.run.folder import Run
from gantk.training.progress import Silent

sys.path.insert(0, str(Path(__file__).parents[1]))
from drills.launched import launched
from drills.operations import Operations
from drills.processes import ENDED, ONE_LINE, WAITED, as_devices, forked

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


def build(path: Path, data: str = "digits") -> None:
    small = {"noise": "gaussian:dim=4", "generator": "dcgan:width=2", "discriminator": "dcgan:width=2"}
    Run(path).create(gantk.build("dcgan", data=data, **small, settings=SETTINGS).built.spec)


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


class Drill:
    """Does something to copies of one run, trains each to its end, and compares."""

    def __init__(
        self, folder: Path, devices: int = 1, resumed: bool = False, by_command: bool = False, data: str = "digits"
    ) -> None:
        self.built, self.copy, self.devices = folder / "built", folder / "copy", devices
        self.by_command, self.watched = by_command, self.copy
        build(self.built, data)
        self.renew()
        began = time.monotonic()
        assert not any(self.trained())
        self.seconds = time.monotonic() - began
        self.expected = outcome(self.copy)
        if resumed:
            shutil.rmtree(self.built)
            shutil.copytree(self.copy, self.built)
            shutil.rmtree(Run(self.built).latest())
        self.counts: Counter[str] = Counter()

    def trained(self, *, kill: Sequence[int] = (), after: float = 0.0) -> list[int]:
        """The statuses of the processes of a training of the copy, some of which are killed."""
        if self.by_command:
            return launched(self.copy, self.devices, kill, after)
        works = [lambda: train(self.copy)] * self.devices
        return forked(*as_devices(works), kill=kill, after=after)

    def attempt(self, what: str, disturb: Callable[[], list[int]]) -> set[int]:
        """Disturb a training of a fresh copy, and train the copy to its end; the statuses of the disturbed one."""
        self.renew()
        found = set(disturb())
        self.counts["attempts"] += 1
        self.counts["killed"] += -signal.SIGKILL in found
        self.counts["ended with one line"] += ONE_LINE in found
        self.counts["waited"] += WAITED in found
        self.counts["went on"] += found == {ENDED}
        if strange := found - {ENDED, ONE_LINE, WAITED, -signal.SIGKILL}:
            self.fail(f"{what}: ended with status {strange}")
        elif any(self.trained()):
            self.fail(f"{what}: cannot be resumed")
        elif not same(outcome(self.copy), self.expected):
            self.fail(f"{what}: ended in other bits")
        return found

    def renew(self) -> None:
        shutil.rmtree(self.copy, ignore_errors=True)
        shutil.copytree(self.built, self.copy)

    def fail(self, text: str) -> None:
        self.counts["failures"] += 1
        print(text, flush=True)

    def disturbed(self, device: int, number: int, happens: Callable[[], None]) -> list[int]:
        """The statuses of a training at one of whose file operations, on one device, something happens."""
        operations = [Operations(self.watched, number * (rank == device), happens) for rank in range(self.devices)]
        return forked(*as_devices([self.counting(each) for each in operations]))

    def operations(self) -> list[int]:
        """The number of file operations of a training on each device."""
        self.renew()
        found = [Operations(self.watched) for _ in range(self.devices)]
        pipes = [os.pipe() for _ in found]

        def told(operations: Operations, into: int) -> None:
            self.counting(operations)()
            os.write(into, str(operations.count).encode())

        works = [partial(told, each, into) for each, (_, into) in zip(found, pipes, strict=True)]
        assert not any(forked(*as_devices(works)))
        return [int(os.read(out, 100)) for out, _ in pipes]

    def counting(self, operations: Operations) -> Callable[[], None]:
        """A training of the copy whose operations are counted."""

        def work() -> None:
            with operations.counted():
                train(self.copy)

        return work


def killed() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def failing(number: int) -> Callable[[], None]:
    def fail() -> None:
        raise OSError(number, os.strerror(number))

    return fail


def at_random_times(drill: Drill, attempts: int, seed: int) -> None:
    rng, devices = random.Random(seed), range(drill.devices)
    victims = [*([device] for device in devices), list(devices)] if drill.devices > 1 else [[0]]
    for number in range(attempts):
        after, kill = rng.uniform(0, drill.seconds), rng.choice(victims)
        drill.attempt(f"kill {number} of {kill}", partial(drill.trained, kill=kill, after=after))


def at_operations(
    drill: Drill, numbers: slice, happenings: Sequence[tuple[str, Callable[[], None]]], all_: bool
) -> None:
    """Let one thing after the other happen at each file operation, or all of them."""
    for device, many in enumerate(drill.operations()):
        print(f"device {device}: {many} file operations", flush=True)
        for number in range(1, many + 1)[numbers]:
            for name, happens in happenings if all_ else [happenings[number % len(happenings)]]:
                what = f"device {device}, operation {number}, {name}"
                drill.attempt(what, partial(drill.disturbed, device, number, happens))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["random", "operations", "faults"])
    parser.add_argument("--attempts", type=int, default=100, help="of random kills")
    parser.add_argument("--steps", type=int, default=2, help="length of the training, with a checkpoint after each")
    parser.add_argument("--every", type=int, default=1, metavar="N", help="at every Nth file operation only")
    parser.add_argument("--first", type=int, default=1, metavar="N", help="from the Nth file operation on")
    parser.add_argument("--all-errors", action="store_true", help="every error at every operation")
    parser.add_argument("--devices", type=int, default=1, help="processes of the training")
    parser.add_argument("--resumed", action="store_true", help="a training that has one checkpoint already")
    parser.add_argument("--by-command", action="store_true", help="random kills of gantk train RUN --devices N")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    torch.set_num_threads(1)
    logging.getLogger("lightning_fabric").setLevel(logging.WARNING)  # it greets every process
    SETTINGS["stages.game.length"] = f"{args.steps} steps"
    if args.devices > 1:
        SETTINGS.update({"train.devices": args.devices, "train.accelerator": "cpu"})
    with tempfile.TemporaryDirectory() as folder:
        drill = Drill(Path(folder), args.devices, args.resumed, args.by_command)
        if args.what == "random":
            at_random_times(drill, args.attempts, args.seed)
        else:
            errors = [(errno.errorcode[number], failing(number)) for number in ERRORS]
            happenings = [("SIGKILL", killed)] if args.what == "operations" else errors
            at_operations(drill, slice(args.first - 1, None, args.every), happenings, args.all_errors)
    print(f"{args.what}: " + ", ".join(f"{count} {name}" for name, count in drill.counts.items() if count))
    raise SystemExit(bool(drill.counts["failures"]))


if __name__ == "__main__":
    main()
