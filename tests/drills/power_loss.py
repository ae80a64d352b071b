"""A loss of power at any moment of saving leaves the former checkpoint or the new one, whole.

    python tests/drills/power_loss.py --saves 12

Every write, flush, rename and deletion of a series of saves is recorded. For every moment, every state of the disk is
laid out that POSIX permits then: names in each folder as of any moment since that folder was last flushed, whatever the
others are; files that were not flushed complete, cut in half, or empty. In each, the newest checkpoint that can be read
must be the last that was saved before, or the one that was being saved; and once a save has returned, that one.
"""

from __future__ import annotations

import argparse
import itertools
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest.mock import patch

import torch

import gantk
from gantk.errors import CheckpointError, RunError
from gantk.run.checkpoints import Place, read_training, read_weights, save
from gantk.run.folder import Run
from gantk.run.usable import newest

Names = dict[str, int]
HOOKED = ("rename", "replace", "mkdir", "unlink", "rmdir", "fsync")
CUTS: tuple[Callable[[bytes], bytes], ...] = (lambda data: data, lambda data: data[: len(data) // 2], lambda data: b"")


@dataclass
class Disk:
    """What a recorder has seen of a folder: files and folders by number, whatever their names are."""

    root: int
    folders: dict[int, list[Names]] = field(default_factory=dict)
    """Folder → its names after every change since it was last flushed; the last are the present ones."""
    files: dict[int, bytes] = field(default_factory=dict)
    unflushed: set[int] = field(default_factory=set)

    def states(self) -> Iterator[Callable[[Path], None]]:
        """Every state that a loss of power can leave now, as what lays it out in an empty folder."""
        numbers = [*self.folders]
        for cut in CUTS if self.unflushed else CUTS[:1]:
            for chosen in itertools.product(*(self.folders[number] for number in numbers)):
                names = dict(zip(numbers, chosen, strict=True))
                yield lambda path, names=names, cut=cut: self._lay_out(path, self.root, names, cut)

    def forget(self) -> None:
        """Forget folders that no state of the disk contains any longer."""
        reached, new = set[int](), {self.root}
        while new:
            reached |= new
            named = {n for number in new for names in self.folders.get(number, ()) for n in names.values()}
            new = named - reached
        self.folders = {number: names for number, names in self.folders.items() if number in reached}
        self.unflushed &= reached

    def _lay_out(self, path: Path, number: int, names: Mapping[int, Names], cut: Callable[[bytes], bytes]) -> None:
        path.mkdir(exist_ok=True)
        for name, inner in names[number].items():
            if inner in names:
                self._lay_out(path / name, inner, names, cut)
            else:
                content = self.files[inner]
                (path / name).write_bytes(cut(content) if inner in self.unflushed else content)


class Recorder:
    """Records what happens in a folder; everything that lies there at the beginning is on the disk."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._numbers: dict[int, int] = {}
        self._count = itertools.count()
        self._looking = False
        self.disk = Disk(self._number(folder))
        self._see()
        self.disk.unflushed.clear()
        self.disk.folders = {number: names[-1:] for number, names in self.disk.folders.items()}

    @contextmanager
    def recording(self, then: Callable[[], Any]) -> Iterator[None]:
        """Within this context, `then` is called after every operation."""

        def hooked(name: str) -> Callable[..., Any]:
            usual = getattr(os, name)

            def operation(*args: Any, **options: Any) -> Any:
                done = usual(*args, **options)
                if not self._looking:
                    self._looking = True
                    self._see()
                    if name == "fsync":
                        self._flushed(os.fstat(args[0]).st_ino)
                    then()
                    self._looking = False
                return done

            return operation

        with ExitStack() as stack:
            for each in [patch.object(os, name, hooked(name)) for name in HOOKED]:
                stack.enter_context(each)
            yield

    def _number(self, path: Path) -> int:
        """A file's own number; the system gives those of deleted files to others."""
        return self._numbers.setdefault(path.lstat().st_ino, next(self._count))

    def _see(self) -> None:
        """Compare the folder with what was seen last."""
        found: dict[int, Names] = {}
        for path, folders, files in os.walk(self._folder):
            here = found.setdefault(self._number(Path(path)), {})
            here.update((name, self._number(Path(path, name))) for name in sorted(folders + files))
            for name in files:
                number, content = here[name], Path(path, name).read_bytes()
                if self.disk.files.get(number) != content:
                    self.disk.files[number] = content
                    self.disk.unflushed.add(number)
        for number, names in found.items():
            history = self.disk.folders.setdefault(number, [{}])
            if history[-1] != names:
                history.append(names)
        there = {*found, *(number for names in found.values() for number in names.values())}
        self._numbers = {inode: number for inode, number in self._numbers.items() if number in there}

    def _flushed(self, inode: int) -> None:
        number = self._numbers[inode]
        self.disk.unflushed.discard(number)
        if number in self.disk.folders:
            del self.disk.folders[number][:-1]
            self.disk.forget()


@dataclass
class Outcome:
    """What a drill found."""

    operations: int = 0
    states: int = 0
    faults: list[str] = field(default_factory=list)


def drill(model: gantk.Model, run: Run, saves: int, keep: int = 1) -> Outcome:
    """Save a model in a run several times, and look at every state of the disk that a loss of power could leave."""
    outcome, recorder = Outcome(), Recorder(run.path)
    weights: dict[int, dict[str, torch.Tensor]] = {}

    def found(path: Path) -> int:
        """The step of the newest whole checkpoint; 0 where there is none."""

        def read(checkpoint: Path) -> int:
            step = read_training(checkpoint).place.total
            there = read_weights(checkpoint)
            assert all(torch.equal(there[name], value) for name, value in weights[step].items())
            return step

        return newest(Run(path), read)[0] if Run(path).steps() else 0

    def look(allowed: tuple[int, ...]) -> None:
        outcome.operations += 1
        for lay_out in recorder.disk.states():
            outcome.states += 1
            with tempfile.TemporaryDirectory() as folder:
                lay_out(Path(folder))
                try:
                    step = found(Path(folder))
                    fault = "" if step in allowed else f"step {step} is found instead of {allowed}"
                except (CheckpointError, RunError, OSError, AssertionError) as error:
                    fault = f"{type(error).__name__}: {error}".replace(folder, "RUN")
            if fault:
                outcome.faults.append(f"operation {outcome.operations}: {fault}")

    for step in range(1, saves + 1):
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.add_(0.01)
        with model.averaging():
            weights[step] = {name: value.clone() for name, value in model.state_dict().items()}
        with recorder.recording(lambda step=step: look((step - 1, step))):
            save(run, model, Place(0, step, step), {}, {}, keep)
        look((step,))
    return outcome


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--saves", type=int, default=12)
    parser.add_argument("--keep", type=int, default=1)
    args = parser.parse_args()
    small = {"noise": "gaussian:dim=4", "generator": "dcgan:width=2", "discriminator": "dcgan:width=2"}
    model = gantk.build("dcgan", data="digits", **small)
    folder = Path(tempfile.mkdtemp())
    try:
        run = Run(folder / "run")
        run.create(model.built.spec)
        found = drill(model, run, args.saves, args.keep)
    finally:
        shutil.rmtree(folder)
    print(
        f"{args.saves} saves, {found.operations} moments, {found.states} states of the disk, {len(found.faults)} faults"
    )
    for fault in found.faults[:10]:
        print(" ", fault)
    raise SystemExit(bool(found.faults))


if __name__ == "__main__":
    main()
