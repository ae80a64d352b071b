"""`gantk.export`: write a trained model in a form that other programs read."""

from __future__ import annotations

import io
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from gantk.building.load import load
from gantk.errors import OptionError, UsageError, WorkError, nearest
from gantk.exports.card import card
from gantk.exports.formats import FORMATS
from gantk.exports.program import INPUTS, Program
from gantk.exports.script import CONDITIONS, NOISE, SCRIPTS, script
from gantk.files import place, read_whole
from gantk.model import Model
from gantk.report.outputs import claimed, write_folder
from gantk.run.folder import Run
from gantk.run.located import located
from gantk.run.places import is_empty
from gantk.run.usable import weights_at

__all__ = ["KINDS", "Exported", "export"]

HUB = "hub"
KINDS = (*FORMATS, HUB)
"""The formats."""

ROWS = 64
"""Number of noise vectors that are written beside a program."""


@dataclass(frozen=True)
class Exported:
    """What was exported."""

    folder: Path
    difference: float | None
    """The greatest difference between the images of the exported program and the model's, which are in [-1, 1]; `None`
    if the format contains no program."""


def export(
    run: str | os.PathLike[str] | Run,
    output: str | os.PathLike[str],
    *,
    format: str = "onnx",
    step: int | None = None,
    refine: bool = True,
) -> Exported:
    """Write the model of a run in a form that other programs read, into a new folder.

    `onnx` and `torch-export` write a program from `noise [N, dim]` (and `condition [N, dim]`, in a conditional model)
    to `images [N, C, H, W]` in [-1, 1], for any N, with 64 noise vectors and a script that draws them without gantk.
    `safetensors` writes the weights of the generator. `hub` writes a run that `gantk.load` reads, for the Hugging Face
    Hub. All write a model card, README.md, and the settings, model.toml.

    Args:
        run: the folder of a run, or of one of its checkpoints.
        output: the folder, which must not exist or be empty.
        format: `onnx`, `torch-export`, `safetensors` or `hub`.
        step: the step of the checkpoint; by default the newest.
        refine: whether the program applies the model's refiner, if it has one.

    Raises:
        OptionError: there is no such format.
        UsageError: the folder is not empty, a package is missing, or the model has no checkpoint of that step.
        WorkError: the model cannot be traced, the exported program gives other images, or the folder cannot be written.
    """
    if format not in KINDS:
        raise OptionError(f"there is no format '{format}'.{nearest(format, KINDS)}")
    folder = place(output)
    if folder.exists() and not is_empty(folder):
        raise UsageError(f"{folder} exists and is not an empty folder: choose another one.")
    found, step = (run, step) if isinstance(run, Run) else located(run, step)
    model = load(found, step=step)
    if not refine and model.refiner is None:
        raise UsageError(f"{found} has no refiner: leave out --no-refiner (refine=False).")
    at = _step_of(found, step, model)
    if format == HUB:
        return _hub(model, found, at, folder)
    with claimed(folder, folder=True):  # of two at once, the later one is refused before it works
        program = Program(model, refine)
        written = FORMATS[format](program, model, refine)
        conditional = bool(program.condition_dim)
        files = {
            written.name: written.content,
            "README.md": card(model, found, at, _how(format, written.name, program, model)).encode(),
            "model.toml": read_whole(found.model_toml),
        }
        if format in SCRIPTS:
            files |= _drawn(model, program)
            files["draw.py"] = script(format, program.dim, conditional, model.noise.distribution).encode()
        write_folder(folder, files.items())
        return Exported(folder, written.difference)


def _step_of(run: Run, step: int | None, model: Model) -> int:
    checkpoint, _ = weights_at(run, step, model)
    return int(checkpoint.name.rpartition("-")[2])


def _hub(model: Model, run: Run, step: int, folder: Path) -> Exported:
    how = [f'Use it with gantk: `gantk.load("{folder.name}")`, or `gantk sample {folder.name} -n 64 -o grid.png`.']
    try:
        with claimed(folder, folder=True) as aside:
            saved = model.save(aside / folder.name)
            (saved.path / "README.md").write_text(card(model, run, step, how), encoding="utf-8")
            if folder.is_dir():
                for entry in sorted(saved.path.iterdir(), key=lambda entry: entry == saved.model_toml):
                    entry.rename(folder / entry.name)  # last of all model.toml, which makes it a run
            else:
                saved.path.rename(folder)
    except OSError as error:
        raise WorkError(f"{folder} cannot be written: {error.strerror or error}.") from error
    return Exported(folder, None)


def _drawn(model: Model, program: Program) -> dict[str, bytes]:
    """Noise, and conditions, as arrays."""
    condition: Any = None if model.condition is None else model.condition.spread(ROWS)
    inputs = program.split(model.sample_noise(ROWS, seed=0, condition=condition))
    return {name: _array(value.numpy()) for name, value in zip((NOISE, CONDITIONS), inputs, strict=False)}


def _array(values: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.save(file, np.ascontiguousarray(values), allow_pickle=False)
    return file.getvalue()


def _how(form: str, name: str, program: Program, model: Model) -> list[str]:
    if form not in SCRIPTS:
        return [f"`{name}` has the weights of the generator{' and the refiner' if _refines(program) else ''} by name."]
    widths = (program.dim, program.condition_dim)
    inputs = " and ".join(
        f"`{each}` [N, {dim}]" for each, dim in zip(INPUTS[: len(program.inputs)], widths, strict=False)
    )
    shape = ", ".join(map(str, model.image_shape))
    drawn = {
        "normal": "Noise is standard normal.",
        "uniform": "Noise is uniform in [-1, 1].",
        "sphere": "Noise is uniform on the unit sphere.",
    }.get(model.noise.distribution or "", f"Noise is drawn by gantk's '{model.noise_name}'.")
    return [
        f"`{name}` generates `images` [N, {shape}] in [-1, 1], float32, from {inputs}, for any N. {drawn} `{NOISE}` "
        f"has {ROWS} vectors{f', and `{CONDITIONS}` as many conditions' if program.condition_dim else ''}.",
        f"`python draw.py` draws them into `grid.png`; it needs numpy, pillow and {SCRIPTS[form][0]}.",
    ]


def _refines(program: Program) -> bool:
    return any(name.startswith("refiner.") for name in program.state_dict())
