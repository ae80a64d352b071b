"""A run from somebody else, in which one thing is a link, a pipe, a socket or a device: what commands do with it.

    python tests/drills/strangers.py
    python tests/drills/strangers.py --every 10

For each name in a run, and each kind of thing in its place, each command that reads or writes a run is called. It must
end within two minutes with a status of 0, 1 or 2 and without a traceback, and a folder outside, to which the links
point, must have the same content, modes and times as before.
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import socket
import sys
import tempfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import matplotlib.figure  # noqa: F401 - once, and not in every process
import torch

import gantk
from gantk.cli import main as commands
from gantk.training.progress import Silent

STEP = "checkpoints/step-0000001"
NAMES = (
    *("model.toml", "log.jsonl", "history.toml", "metrics.json", ".lock", ".metrics.json.lock", "report.html"),
    *("samples", "tensorboard", "checkpoints", "start", "old-1", ".unfinished-old", STEP, "checkpoints/step-0000003"),
    *(".unfinished-model.toml", ".unfinished-log.jsonl", ".unfinished-metrics.json", ".unfinished-x"),
    *("samples/step-0000001.png", "samples/step-0000003.png", "samples/.unfinished-step-0000003.png"),
    *(f"{STEP}/{name}" for name in ("manifest.json", "model.safetensors", "optimizers.safetensors", "training.json")),
    *("checkpoints/best.json", "checkpoints/.unfinished-step-0000003", "checkpoints/damaged-step-0000001"),
    *("grid.png", ".unfinished-grid.png", "images", ".unfinished-images"),
)
COMMANDS = (
    ("list-runs", "."),
    ("show", "run"),
    ("doctor", "run"),
    ("compare", "run"),
    ("sample", "run", "-n", "1", "-o", "run/grid.png"),
    ("sample", "run", "-n", "1", "-o", "run/images"),
    ("noise", "run", "-o", "run/noise.png"),
    ("interpolate", "run", "--rows", "1", "--steps", "2", "-o", "run/strip.png"),
    ("evaluate", "run", "--metrics", "prdc", "--extractor", "pixels", "-n", "8", "--real", "8"),
    ("build", "--from", "run", "-o", "new"),
    ("build", "dcgan", "-o", "run"),
    ("train", "run", "--set", "stages.game.length=2 steps"),
    ("train", "run", "--fresh"),
)
PATIENCE = 120
"""Seconds, on a busy machine."""


def listening(place: Path, outside: Path) -> None:
    here = os.getcwd()
    os.chdir(place.parent)  # the paths of sockets are short
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(place.name)
    os.chdir(here)


KINDS: dict[str, Callable[[Path, Path], object]] = {
    "link to a file": lambda place, outside: place.symlink_to(_same_name(place, outside)),
    "link to a folder": lambda place, outside: place.symlink_to(outside, target_is_directory=True),
    "link to nothing": lambda place, outside: place.symlink_to(outside / "nothing"),
    "hard link": lambda place, outside: os.link(_same_name(place, outside), place),
    "pipe": lambda place, outside: os.mkfifo(place),
    "socket": listening,
    "device": lambda place, outside: place.symlink_to("/dev/zero"),
    "folder": lambda place, outside: place.mkdir(),
}


def _same_name(place: Path, outside: Path) -> Path:
    """A file outside that gantk would take for its own."""
    found = sorted(path for path in outside.rglob(place.name) if path.is_file())
    return found[0] if found else outside / "thesis.txt"


def seen(folder: Path) -> dict[str, tuple[bytes, int, int]]:
    found = {}
    for path in [folder, *folder.rglob("*")]:
        about = path.lstat()
        content = path.read_bytes() if path.is_file() else b""
        found[str(path.relative_to(folder))] = (content, about.st_mode, about.st_mtime_ns)
    return found


def forked(work: Callable[[], object], err: Path) -> int:
    """The status of some work in a process of its own, which has so many seconds; its words go to a file."""
    child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    signal.alarm(PATIENCE)
    status = 99
    try:
        descriptor = os.open(err, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(descriptor, 1)
        os.dup2(descriptor, 2)
        work()
        status = 0
    except SystemExit as error:
        status = int(error.code or 0)
    finally:
        sys.stdout.flush()
        os._exit(status)


class Drill:
    def __init__(self, folder: Path) -> None:
        self.folder, self.built, self.outside = folder, folder / "built", folder / "outside"
        self.err = folder / "err.txt"
        small = {"noise": "gaussian:dim=4", "generator": "dcgan:width=2", "discriminator": "dcgan:width=2"}
        settings = {"stages.game.length": "1 steps", "stages.game.batch_size": 4, "train.samples": 1}
        model = gantk.build("dcgan", data="digits", **small, settings=settings)
        assert forked(lambda: gantk.train(model, self.built, progress=Silent()), self.err) == 0
        shutil.copytree(self.built, self.outside)
        (self.outside / "thesis.txt").write_text("three years of work")
        for name in ("images", ".unfinished-x", "checkpoints/.unfinished-x", "step-0000001", "old-1"):
            (self.outside / name).mkdir()
            (self.outside / name / "000000.png").write_text("mine")
        self.counts: Counter[str] = Counter()

    def attempt(self, name: str, kind: str, words: tuple[str, ...]) -> None:
        there = self.folder / "there"
        shutil.rmtree(there, ignore_errors=True)
        shutil.copytree(self.built, there / "run")
        place = there / "run" / name
        if place.is_dir():
            shutil.rmtree(place)
        place.unlink(missing_ok=True)
        KINDS[kind](place, self.outside)
        before = seen(self.outside)

        def work() -> None:
            os.chdir(there)
            sys.argv = ["gantk", *words]
            commands.main()

        status = forked(work, self.err)
        said = self.err.read_text(errors="replace")
        self.counts["attempts"] += 1
        self.counts["worked"] += status == 0
        self.counts["refused"] += status in (1, 2)
        if seen(self.outside) != before:
            self._fail(f"{name} is a {kind}, gantk {' '.join(words)}: something outside was touched", said)
        elif status not in (0, 1, 2) or "Traceback" in said or "internal error" in said:
            self._fail(f"{name} is a {kind}, gantk {' '.join(words)}: ended with status {status}", said)

    def _fail(self, text: str, said: str) -> None:
        self.counts["failures"] += 1
        print(f"{text}\n{said}", flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--every", type=int, default=1, help="Only every so-manieth attempt.")
    parser.add_argument("--first", type=int, default=1, metavar="N", help="From the Nth attempt on.")
    given = parser.parse_args()
    torch.set_num_threads(1)
    every = [(name, kind, words) for name in NAMES for kind in KINDS for words in COMMANDS]
    with tempfile.TemporaryDirectory() as folder:
        drill = Drill(Path(folder))
        for name, kind, words in every[given.first - 1 :: given.every]:
            drill.attempt(name, kind, words)
    print(", ".join(f"{count} {what}" for what, count in drill.counts.items()))
    return drill.counts["failures"] != 0


if __name__ == "__main__":
    sys.exit(main())
