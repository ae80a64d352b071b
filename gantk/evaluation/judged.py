"""What is evaluated: the checkpoints of a run, a model, or images of any origin."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch

from gantk.building.assembly import assemble
from gantk.building.construct import part_class
from gantk.building.given import named
from gantk.building.load import load
from gantk.building.spec import part_table
from gantk.data import DataSource
from gantk.errors import DataError, UnknownName, UsageError
from gantk.evaluation.array_files import is_array_file
from gantk.evaluation.onnx_files import is_onnx_file, onnx_path, onnx_source
from gantk.evaluation.protocol import Generated
from gantk.evaluation.real import ImageSet, image_set
from gantk.files import place as placed
from gantk.measures.reconstruction import COLORS
from gantk.model import Model
from gantk.options import read_options
from gantk.parts import weights_digest
from gantk.registry import is_registered
from gantk.run.folder import Run
from gantk.run.located import located
from gantk.run.places import near_run, runs_under
from gantk.run.usable import weights_at

__all__ = ["IMAGES", "Judged", "Steps", "best_device", "generated_by", "judged"]

IMAGES = 10_000
"""Default number of generated images."""

Steps = int | Literal["all"] | None
"""A checkpoint of a run: its step, `all`, or the newest."""


@dataclass(frozen=True)
class Judged:
    """What is evaluated.

    Args:
        name: the name that the user gave.
        steps: the checkpoints of a run; only `None` if there is no choice.
        open: opens the model at a step; `None` for given images.
        images: the given images.
        data: the data that the model was trained on; `None` if it is unknown.
        place: the folder or file of the run or the images, next to which scores are saved; `None` if there is none.
        said_by: the run whose files say what the data is; empty if a user does.
    """

    name: str
    steps: tuple[int | None, ...]
    open: Callable[[int | None], Model] | None = None
    images: ImageSet | None = None
    data: Any = None
    place: Path | None = None
    said_by: str = ""

    def models(self) -> Iterator[tuple[int | None, Model | None]]:
        """The model of each step in turn, in evaluation mode; `None` for given images."""
        for step in self.steps:
            yield step, None if self.open is None else self.open(step).eval().requires_grad_(False)


def judged(what: Any, step: Steps = None, most: int | None = None, like: DataSource | None = None) -> Judged:
    """What the user wants to evaluate.

    Args:
        what: the folder of a run or a checkpoint, a `gantk.Run`, a `gantk.Model`, or images, as data for `gantk.build`.
        step: the checkpoint of a run, or `all`; by default the newest.
        most: size of a random subset of given images.
        like: the real images: image files are converted to their colors unless an option says otherwise, and labels in
            array files are indices of their classes.

    Raises:
        UsageError: it is none of these, or there is no such checkpoint.
        RunError: there is no such run, or it was never trained.
    """
    if isinstance(what, Model):
        if step is not None:
            raise UsageError("a model has no checkpoints: leave out step=…, or give its run.")
        data = (what.built.spec.get("data") or what.built.data) if what.is_built else None
        said_by = what.built.said_by if what.is_built else ""
        return Judged("the model", (None,), lambda _: what, data=data, said_by=said_by)
    if isinstance(what, Run):
        return _run(what, step)
    text = isinstance(what, (str, os.PathLike))
    if text:
        run, at = located(what, step if isinstance(step, int) else None)
        if run.model_toml.exists() or runs_under(run.path):
            return _run(run, at if at is not None else step)
    if step is not None:
        raise UsageError(f"{what if text else 'the images'}: images have no steps; leave out --step.")
    if text and is_onnx_file(what):
        drawn = ImageSet(str(what), onnx_source(what, most or IMAGES))
        return Judged(str(what), (None,), images=drawn, place=onnx_path(what))
    if text and str(what).endswith(".onnx"):
        raise DataError(f"{placed(what)}: no such file.")
    try:
        array = text and is_array_file(what)
        asked = _colored(what, None if like is None else like.image_shape[0]) if text and not array else what
        images = image_set(asked, most, classes=(like and like.classes) or ())
    except (UnknownName, DataError):
        if text and not placed(what).exists() and not is_registered("data", str(what).partition(":")[0]):
            if like is not None and not near_run(placed(what)):
                raise UsageError(f"{what}: there is no such file, folder or run; check the path.") from None
            Run(what).check_there()  # probably a mistyped run: this error suggests similar names
        raise
    where = placed(str(what).partition(":")[0]) if text else None
    return Judged(str(what) if text else images.name, (None,), images=images, place=where and _existing(where))


def _existing(path: Path) -> Path | None:
    return path if path.exists() else None


def _colored(what: Any, channels: int | None) -> Any:
    """Image files, by default in the color mode of the real images."""
    table = part_table("data", named("data", what))
    options = read_options(part_class("data", table["plugin"]))
    if channels is not None and channels in COLORS and "color" in options and "color" not in table:
        return {**table, "color": COLORS[channels]}
    return table


def _run(run: Run, step: Steps) -> Judged:
    data = run.spec().get("data")
    run.latest()
    checkpoint = _newest(run) if step is None else None if step == "all" else run.at(step)
    steps = tuple(run.steps()) if checkpoint is None else (int(checkpoint.name.partition("-")[2]),)
    return Judged(str(run), steps, lambda each: _opened(run, each), data=data, place=run.path, said_by=str(run))


def _newest(run: Run) -> Path:
    return weights_at(run, None, assemble(run.spec(), for_training=False))[0]


def _opened(run: Run, step: int | None) -> Model:
    return load(run, step=step, device=best_device())


def best_device() -> torch.device:
    """This machine's accelerator, or else its CPU."""
    found = torch.accelerator.current_accelerator() if torch.accelerator.is_available() else None
    return found or torch.device("cpu")


def generated_by(judged: Judged, step: int | None, model: Model | None, n: int, refine: bool) -> Generated:
    """The protocol's entry of the generated images, without the sampling seed."""
    if model is None:
        images = judged.images
        if images is None:
            raise UsageError("expected a model or images; both are missing.")
        given = images.labels or "none"
        return Generated(judged.name, n, "uint8", None, given, None, None, "uint8", None, "", images.content)
    types = {str(p.dtype).removeprefix("torch.") for p in model.generator.parameters() if p.is_floating_point()}
    return Generated(
        source=judged.name,
        images=n,
        quantized="uint8",
        seed=None,
        labels="none" if model.condition is None else "drawn as the data has them",
        averaged="generator" in model.average,
        refined=refine and model.refiner is not None,
        dtype=" ".join(sorted(types)) or "float32",
        step=step,
        weights=weights_digest(model),
        content="",
    )
