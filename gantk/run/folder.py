"""A run: the folder that `build` writes and everything else reads."""

from __future__ import annotations

import os
import re
import shlex
from base64 import b64encode
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

import tomli_w

from gantk import json_text, toml
from gantk.errors import CheckpointError, RunError, UsageError
from gantk.files import (
    UNFINISHED,
    check_no_link,
    create_file,
    flush_folder,
    place,
    read_whole,
    remove,
    remove_unfinished,
    replace_file,
    text_of,
)
from gantk.kinds import LISTS, SLOTS
from gantk.run.entries import columns, read_log
from gantk.run.places import advice, is_empty

if TYPE_CHECKING:
    import numpy.typing as npt

__all__ = ["CHECKPOINT", "PARTS", "Run"]

CHECKPOINT = re.compile(r"step-(\d+)")
PARTS = ("model.toml", "log.jsonl", "tensorboard", "samples", "checkpoints")
"""Files and folders of a run; a path to one of them stands for the run."""

PICTURE = 1 << 28
"""Bytes of a sample grid, at most."""


class Run:
    """A run folder; the object has no state of its own.

    `log`, `samples` and `checkpoints` read what training has written so far::

        run = gantk.Run("runs/x")
        plt.plot(run.log["step"], run.log["generator/nonsaturating"])

    Args:
        path: the folder.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = place(path)
        self.model_toml = self.path / "model.toml"
        self.log_file = self.path / "log.jsonl"
        self.tensorboard = self.path / "tensorboard"
        self.trackers = (self.path / "wandb", self.path / "mlflow")
        self.start = self.path / "start"
        self.samples_folder = self.path / "samples"
        self.checkpoints_folder = self.path / "checkpoints"
        self.aside_folder = self.path / f"{UNFINISHED}old"
        self.precision_file = self.path / "precision.json"
        self.best_file = self.checkpoints_folder / "best.json"

    def __str__(self) -> str:
        return str(self.path)

    def __repr__(self) -> str:
        return f"gantk.Run({str(self)!r})"

    def _repr_html_(self) -> str:
        """For notebooks: the name and the newest sample grid."""
        newest = self.samples[-1:]
        drawn = [
            f'<img src="data:image/png;base64,{b64encode(read_whole(path, PICTURE)).decode()}">' for path in newest
        ]
        return "<br>".join([f"<code>{escape(repr(self))}</code>", *drawn])

    @property
    def log(self) -> dict[str, npt.NDArray[Any]]:
        """The log as columns of equal length, one row per logged step.

        `step`, `stage`, `stage_step`, `stage_images`, `stage_seconds`, `time`, `images_per_second` and every logged
        value by name, such as `generator/nonsaturating`; NaN if a row has no such value. Empty before training.
        """
        self.check_there()
        return columns(read_log(self.log_file))

    @property
    def samples(self) -> list[Path]:
        """The sample grids that training drew, oldest first."""
        self.check_there()
        return [] if self.samples_folder.is_symlink() else sorted(self.samples_folder.glob("step-*.png"))

    @property
    def checkpoints(self) -> list[Path]:
        """The folders of complete checkpoints, oldest first."""
        self.check_there()
        return [self.checkpoint(step) for step in self.steps()]

    @property
    def typed(self) -> str:
        """The folder as it is typed in a shell."""
        return shlex.quote(str(self))

    def check_there(self) -> None:
        """Check that this is a run.

        Raises:
            RunError: it has no `model.toml`.
        """
        if not self.model_toml.exists():
            raise RunError(f"{self} is not a run: it has no model.toml; {advice(self.path)}")

    def check_free(self) -> None:
        """Check that the folder does not exist, before any work is done.

        Raises:
            UsageError: it exists; nothing is overwritten.
        """
        if self.path.exists() and not is_empty(self.path):
            raise UsageError(f"{self} already exists: choose another path, or remove it first.")

    def create(self, spec: Mapping[str, Any]) -> None:
        """Write `model.toml` into a new folder.

        Raises:
            UsageError: the folder exists; nothing is overwritten.
            RunError: the folder cannot be written.
        """
        self.check_free()
        with self._writing():
            text = _as_text(spec)  # before there is a folder, which a spec that is no text must not leave
            self.path.mkdir(parents=True, exist_ok=True)
            try:
                create_file(self.model_toml, text)
            except FileExistsError:
                raise UsageError(f"{self} was created by another process meanwhile: choose another path.") from None
            flush_folder(self.path.absolute().parent)

    def rewrite(self, spec: Mapping[str, Any]) -> None:
        """Write `model.toml`, replacing its content.

        Raises:
            RunError: the folder cannot be written.
        """
        with self._writing():
            self.path.mkdir(parents=True, exist_ok=True)
            replace_file(self.model_toml, _as_text(spec))

    @contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except UnicodeEncodeError as error:
            raise RunError(f"{self} cannot be written: an option is not valid text: {error}.") from error
        except OSError as error:
            raise RunError(f"{self} cannot be written: {error.strerror or error}.") from error

    def add_sample(self, step: int, png: bytes) -> None:
        """Write the sample grid that training drew after a step.

        Raises:
            RunError: it cannot be written.
        """
        file = self.samples_folder / f"step-{step:07d}.png"
        try:
            self.write(file, png)
        except OSError as error:
            raise RunError(f"{file} cannot be written: {error.strerror or error}.") from error

    def write(self, file: Path, content: bytes) -> None:
        """Write a file in this run, replacing its content.

        Raises:
            RunError: its folder is a link.
            OSError: it cannot be written.
        """
        self.check_own()
        file.parent.mkdir(exist_ok=True)
        replace_file(file, content)

    def spec(self) -> dict[str, Any]:
        """The content of `model.toml`.

        Raises:
            RunError: there is no such run, or its `model.toml` is not TOML.
        """
        try:
            spec = toml.loads(text_of(read_whole(self.model_toml)))
        except (FileNotFoundError, NotADirectoryError):
            raise RunError(f"{self} is not a run: it has no model.toml; {advice(self.path)}") from None
        except (toml.TOMLDecodeError, UnicodeDecodeError) as error:
            raise RunError(f"{self.model_toml} is damaged: {error}; repair it, or build a new run.") from error
        except OSError as error:
            raise RunError(f"{self.model_toml} cannot be read: {error.strerror or error}.") from error
        if not spec:
            raise RunError(f"{self.model_toml} is damaged: it is empty; repair it, or build a new run.")
        return spec

    def checkpoint(self, step: int) -> Path:
        """The folder of the checkpoint after a step."""
        return self.checkpoints_folder / f"step-{step:07d}"

    def at(self, step: int | None = None) -> Path:
        """The checkpoint after a step, by default the newest.

        Raises:
            CheckpointError: the run has never been trained.
            UsageError: there is no checkpoint of that step.
        """
        latest = self.latest()
        if step is None:
            return latest
        if step not in self.steps():
            known = ", ".join(map(str, self.steps()))
            raise UsageError(f"{self} has no checkpoint of step {step!r}; available steps: {known}.")
        return self.checkpoint(step)

    def steps(self) -> list[int]:
        """The steps of complete checkpoints, in order."""
        self.check_own()
        if not self.checkpoints_folder.exists():
            return []
        if not self.checkpoints_folder.is_dir():
            raise RunError(f"{self.checkpoints_folder} is a file; expected a folder: move it away.")
        found = (CHECKPOINT.fullmatch(entry.name) for entry in self.checkpoints_folder.iterdir() if entry.is_dir())
        return sorted(int(match.group(1)) for match in found if match)

    def latest(self) -> Path:
        """The newest checkpoint.

        Raises:
            CheckpointError: the run has never been trained.
        """
        steps = self.steps()
        if not steps:
            raise CheckpointError(f"{self} has not been trained yet: run gantk train {self.typed} first.")
        return self.checkpoint(steps[-1])

    def unfinished(self, step: int) -> Path:
        """The temporary folder in which the checkpoint after a step is written."""
        return self.checkpoints_folder / f"{UNFINISHED}step-{step:07d}"

    def best(self) -> dict[str, Any] | None:
        """The best checkpoint, if training keeps one: its `step`, and the `figure` and `value` by which it is best.

        Raises:
            RunError: the file with this record is damaged.
        """
        try:
            found = json_text.loads(read_whole(self.best_file))
            step, figure, value = found["step"], str(found["figure"]), float(found["value"])
            if type(step) is not int or not 0 <= step < 1 << 63:
                raise ValueError(f"its step is {step!r:.30}")
        except (FileNotFoundError, NotADirectoryError):
            return None
        except (OSError, ValueError, KeyError, TypeError, OverflowError) as error:
            raise RunError(f"{self.best_file} is damaged ({error}): remove it.") from error
        return {"step": step, "figure": figure, "value": value} if self.checkpoint(step).is_dir() else None

    def clean(self, keep: int) -> None:
        """Delete incomplete files of a killed run, and all checkpoints except the newest `keep` and the best one."""
        self.check_own()
        for file in (self.model_toml, self.log_file, self.path / "history.toml", self.precision_file):
            remove_unfinished(file)
        for folder in (self.samples_folder, self.checkpoints_folder):
            for entry in folder.glob(f"{UNFINISHED}*"):
                remove(entry)
        if not self.checkpoints_folder.is_dir():
            return
        best = self.best()
        for step in self.steps()[:-keep]:
            if best is None or step != best["step"]:
                # Renamed first, a checkpoint is never seen half deleted.
                remove(self.checkpoint(step).rename(self.checkpoints_folder / f"{UNFINISHED}old-{step}"))

    def check_own(self) -> None:
        """Check that the folders in this run are in it, and not links: nothing outside of a run is written or deleted.

        Raises:
            RunError: one of them is a link.
        """
        own = (self.samples_folder, self.checkpoints_folder, self.start, self.aside_folder)
        for folder in (*own, self.tensorboard, *self.trackers):
            try:
                check_no_link(folder)
            except OSError as error:
                raise RunError(f"{folder}: {error.strerror}.") from error


def _as_text(spec: Mapping[str, Any]) -> bytes:
    """The content of `model.toml`, in an order that people read."""
    order = ("recipe", "preset", "title", "paper", "seed", "data", *SLOTS, *LISTS)
    written = {key: spec[key] for key in order if key in spec}
    return tomli_w.dumps(written | {key: value for key, value in spec.items() if key not in written}).encode()
