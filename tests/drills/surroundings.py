"""What goes wrong around a training: its data vanish, or the clock is wrong.

    python tests/drills/surroundings.py data --attempts 30
    python tests/drills/surroundings.py clock --attempts 30
    python tests/drills/surroundings.py data --devices 2

It happens at a random moment: when a file of the data is opened, or a step begins. `data`: a folder of images, a zip,
or the cache of decoded images, whose file is mapped into memory, is removed, renamed, made unreadable or cut short, as
a whole or one file of it. The training must end with one line, or go on; so must another one before everything is put
back. `clock`: it stands still, or is set back or forward by hours; the training must go on.

After each, the run is trained to its end, and its weights, optimizers and log must be those of a run that nothing
happened to. Steps that were done and are not in the newest checkpoint are counted as trained again. With `--devices 2`,
it happens to a random one of two processes; the other one must end with one line as well.
"""

from __future__ import annotations

import argparse
import logging
import mmap
import os
import random
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import torch
from PIL import Image

from gantk.run.folder import Run
from gantk.training.averages import Averages
from gantk.training.batches import Batches
from gantk.training.due import Due
from gantk_data import store

sys.path.insert(0, str(Path(__file__).parents[1]))
from drills import kills
from drills.operations import Operations
from drills.processes import ENDED, ONE_LINE, WAITED

SETTINGS = {"stages.game.length": "12 steps", "train.checkpoint_every": 3, "train.keep": 1}
IMAGES, SIDE = 12, 16
KINDS = {"folder": "photos", "zip": "photos.zip", "mapped": "cache"}
"""Kind of data → what happens to something; `mapped` are images of a folder that were decoded to a file."""


class Surroundings(kills.Drill):
    """Trainings at one of whose moments something happens.

    Args:
        folder: for everything.
        kind: the kind of data.
        devices: processes of a training.
    """

    def __init__(self, folder: Path, kind: str, devices: int) -> None:
        self.data, self.kept = folder / "data", folder / "kept"
        self.target = self.data / KINDS[kind]
        os.environ["GANTK_CACHE"] = str(self.data / "cache")
        store.MEMORY_LIMIT = 0 if kind == "mapped" else 1 << 30
        self._begun = mmap.mmap(-1, 1)  # which the processes share
        photos = self.data / "photos"
        photos.mkdir(parents=True)
        rng = np.random.default_rng(0)
        for number in range(IMAGES):
            Image.fromarray(rng.integers(0, 256, (SIDE, SIDE), dtype=np.uint8)).save(photos / f"{number:02}.png")
        shutil.make_archive(str(photos), "zip", photos)
        path = photos.with_suffix(".zip") if kind == "zip" else photos
        shutil.copytree(self.data, self.kept)
        super().__init__(folder, devices, data=f"{'zip' if kind == 'zip' else 'folder'}:path={path},color=gray")
        self.watched = self.data
        shutil.rmtree(self.kept)
        shutil.copytree(self.data, self.kept)  # with the decoded images
        self.moments = self.operations()

    def renew(self) -> None:
        super().renew()
        self.put_back()

    def put_back(self) -> None:
        shutil.rmtree(self.data, ignore_errors=True)
        shutil.copytree(self.kept, self.data)

    def counting(self, operations: Operations) -> Callable[[], None]:
        counted, usual = super().counting(operations), Batches.of_step

        def of_step(batches: Batches, done: int, last: int | None = None) -> Any:
            self._begun[0] = done
            operations.begin("step")
            return usual(batches, done, last)

        def work() -> None:
            with patch.object(Batches, "of_step", of_step):
                counted()

        return work

    def happened(self, device: int, moment: int, happens: Callable[[], None]) -> list[int]:
        """The statuses of a training; counts what it lost."""
        self._begun[0] = 0
        found = self.disturbed(device, moment, happens)
        if set(found) != {ENDED}:
            saved = Run(self.copy).steps()
            self.counts["steps trained again"] += max(self._begun[0] - (saved[-1] if saved else 0), 0)
        return found


def with_data(drill: Surroundings, what: str, device: int, moment: int, rng: random.Random) -> None:
    files = sorted(path for path in drill.target.rglob("*") if path.is_file()) or [drill.target]
    name = rng.choice(list(TO_DATA))
    file = rng.choice(files)
    place = file if name == "cut" else rng.choice([file, drill.target])
    share = rng.random()

    def disturb() -> list[int]:
        found = drill.happened(device, moment, partial(TO_DATA[name], place, share))
        begun = Run(drill.copy).steps()
        if strange := set(drill.trained()) - {ENDED, ONE_LINE, WAITED}:
            drill.fail(f"{what}: trained once more before {place.name} is put back, ended with status {strange}")
        if begun:
            drill.put_back()
        else:  # without a step, a run takes the data that it finds, and may have been trained on those now
            drill.renew()
        return found

    drill.attempt(f"{what}: {place.relative_to(drill.data)}: {name}", disturb)


def _removed(place: Path, share: float) -> None:
    if place.is_dir():
        shutil.rmtree(place)
    else:
        place.unlink()


def _unreadable(place: Path, share: float) -> None:
    """A link to itself can be read by nobody, while root reads what has no permissions."""
    _removed(place, share)
    place.symlink_to(place)


TO_DATA: dict[str, Callable[[Path, float], object]] = {
    "removed": _removed,
    "renamed": lambda place, share: place.rename(place.with_name(f"former-{place.name}")),
    "unreadable": _unreadable,
    "cut": lambda place, share: os.truncate(place, int(share * place.stat().st_size)),
}


class Clock:
    """The clocks of Python, which can stand still, or be set back or forward."""

    def __init__(self) -> None:
        self._usual = {name: getattr(time, name) for name in ("time", "monotonic", "perf_counter")}
        self._still: dict[str, float] = {}
        self._shift = 0.0
        own = {usual: partial(self._read, name) for name, usual in self._usual.items()}
        for name, usual in self._usual.items():
            setattr(time, name, own[usual])
        for kind in (Due, Averages):
            defaults = kind.__init__.__defaults__ or ()
            kind.__init__.__defaults__ = tuple(own.get(each, each) for each in defaults)  # type: ignore[misc]

    def _read(self, name: str) -> float:
        return self._still[name] if self._still else self._usual[name]() + self._shift

    def stop(self) -> None:
        self._still = {name: usual() for name, usual in self._usual.items()}

    def set(self, hours: float) -> None:
        self._shift = 3600 * hours


def with_clock(clock: Clock, drill: Surroundings, what: str, device: int, moment: int, rng: random.Random) -> None:
    hours = rng.uniform(1, 100)
    name, happens = rng.choice(
        [
            ("stands still", clock.stop),
            (f"set back by {hours:.0f} hours", partial(clock.set, -hours)),
            (f"set forward by {hours:.0f} hours", partial(clock.set, hours)),
        ]
    )
    if drill.attempt(f"{what}: {name}", partial(drill.happened, device, moment, happens)) != {ENDED}:
        drill.fail(f"{what}: {name}: did not go on")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["data", "clock"])
    parser.add_argument("--attempts", type=int, default=30)
    parser.add_argument("--devices", type=int, default=1, help="processes of the training")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    torch.set_num_threads(1)
    logging.getLogger("lightning_fabric").setLevel(logging.WARNING)  # it greets every process
    kills.SETTINGS.update(SETTINGS)
    if args.devices > 1:
        kills.SETTINGS.update({"train.devices": args.devices, "train.accelerator": "cpu"})
    if args.what == "clock":
        kills.SETTINGS["train.log_every"] = 1  # after hours, more is logged
        attempt: Callable[..., None] = partial(with_clock, Clock())
    else:
        attempt = with_data
    kinds = KINDS if args.what == "data" else ["folder"]
    rng, counts = random.Random(args.seed), Counter[str]()
    with tempfile.TemporaryDirectory() as folder:
        for index, kind in enumerate(kinds):
            drill = Surroundings(Path(folder, kind), kind, args.devices)
            for number in range(args.attempts)[index :: len(kinds)]:
                device = rng.randrange(args.devices)
                moment = rng.randint(1, drill.moments[device])
                attempt(drill, f"{number}, device {device}, moment {moment}", device, moment, rng)
            counts += drill.counts
    print(f"{args.what}: " + ", ".join(f"{count} {name}" for name, count in counts.items() if count))
    raise SystemExit(bool(counts["failures"]))


if __name__ == "__main__":
    main()
