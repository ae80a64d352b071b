"""Commands that write to one place at once, or that are killed while they write.

    python tests/drills/writers.py together --attempts 200
    python tests/drills/writers.py killed --attempts 200

`together`: two `gantk sample -o PLACE` begin at the same moment, with other seeds. Either one of them says that another
process is writing there, or one was done before the other began; the result is that of one of them, and whole.
`killed`: one is killed with SIGKILL after a random time. What stood there before is whole, or the new result is; the
same command then succeeds, and leaves nothing else behind. The places are a picture, an array, a zip and a folder.
"""

from __future__ import annotations

import argparse
import io
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import torch

import gantk
from gantk.cli import main as commands
from gantk.training.progress import Silent

PLACES = ("grid.png", "images.npz", "images.zip", "images")
COUNT = 64
BUSY = "is being written by another process"


def sample(run: Path, place: Path, seed: int) -> tuple[int, str]:
    """The status of the command in this process, and what it said."""
    sys.argv = ["gantk", "sample", str(run), "-n", str(COUNT), "--seed", str(seed), "-o", str(place)]
    err = io.StringIO()
    with redirect_stdout(io.StringIO()), redirect_stderr(err):
        try:
            commands.main()
        except SystemExit as error:
            return int(error.code or 0), err.getvalue()
    return 0, err.getvalue()


def forked(run: Path, place: Path, seed: int, begin: float) -> tuple[int, int]:
    """A process that samples from a moment on, and the descriptor from which its words are read."""
    reading, writing = os.pipe()
    child = os.fork()
    if child:
        os.close(writing)
        return child, reading
    status = 99
    try:
        while time.monotonic() < begin:
            pass
        status, said = sample(run, place, seed)
        os.write(writing, said.encode())
    finally:
        os._exit(status)


def ended(child: int, reading: int) -> tuple[int, str]:
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    with os.fdopen(reading, "rb") as file:
        return status, file.read().decode()


def content(place: Path) -> dict[str, bytes]:
    """Every file of a result by name."""
    if not place.is_dir():
        return {"": place.read_bytes()} if place.exists() else {}
    return {path.name: path.read_bytes() if path.is_file() else b"" for path in place.iterdir()}


class Drill:
    def __init__(self, folder: Path, attempts: int) -> None:
        self.folder, self.attempts, self.run = folder, attempts, folder / "run"
        small = {"noise": "gaussian:dim=4", "generator": "dcgan:width=2", "discriminator": "dcgan:width=2"}
        settings = {"stages.game.length": "1 steps", "stages.game.batch_size": 4, "train.samples": 1}
        child = os.fork()
        if child == 0:  # which leaves no threads here, whose locks later processes would inherit
            gantk.train(gantk.build("dcgan", data="digits", **small, settings=settings), self.run, progress=Silent())
            os._exit(0)
        os.waitpid(child, 0)
        self.expected = {}
        for name in PLACES:
            for seed in (0, 1):
                assert sample(self.run, folder / f"{seed}" / name, seed)[0] == 0
                self.expected[name, seed] = content(folder / f"{seed}" / name)
        self.counts: Counter[str] = Counter()

    def together(self) -> None:
        for number in range(self.attempts):
            place = self._place(number)
            begin = time.monotonic() + 0.02
            found = [ended(*each) for each in [forked(self.run, place, seed, begin) for seed in (0, 1)]]
            won = [seed for seed, (status, _) in enumerate(found) if status == 0]
            told = [seed for seed, (status, said) in enumerate(found) if status == 1 and BUSY in said]
            self.counts["attempts"] += 1
            self.counts["one won and the other said so"] += (len(won), len(told)) == (1, 1)
            self.counts["one after the other"] += len(won) == 2
            whole = content(place) in [self.expected[place.name, seed] for seed in won]
            if not won or len(won) + len(told) != 2 or not whole or self._others(place):
                self._fail(f"{place.name}: {found}, whole: {whole}, left: {self._others(place)}")

    def killed(self) -> None:
        began = time.monotonic()
        ended(*forked(self.run, self._place(0), 0, 0))
        usual = time.monotonic() - began
        for number in range(self.attempts):
            place, stood = self._place(number), number // len(PLACES) % 2 == 1
            if stood:
                assert sample(self.run, place, 0)[0] == 0
            child, reading = forked(self.run, place, 1, 0)
            time.sleep(random.random() * usual * 1.2)
            os.kill(child, signal.SIGKILL)
            status, _ = ended(child, reading)
            self.counts["attempts"] += 1
            self.counts["killed before its end"] += status == -signal.SIGKILL
            self.counts["left something unfinished"] += bool(self._others(place))
            own = {name: data for name, data in content(place).items() if not name.startswith(".unfinished-")}
            if own not in [{}] * (not stood) + [self.expected[place.name, seed] for seed in (0, 1)]:
                self._mixed(place, own)
            status, said = sample(self.run, place, 1)
            if status or content(place) != self.expected[place.name, 1] or self._others(place):
                self._fail(f"{place.name}: {said}, left: {self._others(place)}")

    def _mixed(self, place: Path, own: dict[str, bytes]) -> None:
        """Files are moved into a folder that exists one by one: each is whole, and an old or a new one."""
        both = [self.expected[place.name, seed] for seed in (0, 1)]
        if place.is_dir() and all(data in [each[name] for each in both] for name, data in own.items()):
            self.counts["killed among moves into a folder"] += 1
        else:
            self._fail(f"{place.name}: neither the old nor the new one")

    def _place(self, number: int) -> Path:
        place = self.folder / "place"
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir()
        return place / PLACES[number % len(PLACES)]

    def _others(self, place: Path) -> list[str]:
        names = [entry.name for entry in place.parent.iterdir()] + [*content(place)]
        return [name for name in names if name.startswith(".unfinished-")]

    def _fail(self, text: str) -> None:
        self.counts["failures"] += 1
        print(text, flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("what", choices=["together", "killed"])
    parser.add_argument("--attempts", type=int, default=200)
    given = parser.parse_args()
    torch.set_num_threads(1)
    random.seed(0)
    with tempfile.TemporaryDirectory() as folder:
        drill = Drill(Path(folder), given.attempts)
        getattr(drill, given.what)()
    print(f"{given.what}: " + ", ".join(f"{count} {what}" for what, count in drill.counts.items()))
    return drill.counts["failures"] != 0


if __name__ == "__main__":
    sys.exit(main())
