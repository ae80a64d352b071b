"""What is exported: from noise, and a condition if there is one, to images."""

from __future__ import annotations

import io
import logging
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext, redirect_stdout
from copy import deepcopy

import torch
from torch import Tensor, nn

from gantk.errors import WorkError, briefly
from gantk.model import Model

__all__ = ["INPUTS", "OUTPUT", "Program", "exported", "furthest", "quietly"]

INPUTS, OUTPUT = ("noise", "condition"), "images"

TOLERANCE = 1e-4
"""The largest difference between an exported program's images, which are in [-1, 1], and those of its model."""

LOGGERS = ("torch.fx", "torch.onnx", "torch._dynamo", "torch._export", "onnxscript", "onnx_ir")

COUNTS = (1, 3, 17)
"""Numbers of images by which an exported program is compared: the number in which it was traced must not matter."""


class Program(nn.Module):
    """A model's generator, and its refiner, as one module; its weights are copies, averaged if the model has averages.

    Args:
        model: the model.
        refine: whether to apply the model's refiner, if it has one.
    """

    def __init__(self, model: Model, refine: bool = True) -> None:
        super().__init__()
        self.generator = deepcopy(model.sampler("generator"))
        self.refiner = deepcopy(model.sampler("refiner")) if refine and model.refiner is not None else nn.Identity()
        self.dim = model.noise.dim
        self.condition_dim = 0 if model.condition is None else model.condition.dim
        self.float().cpu().eval().requires_grad_(False)

    @property
    def inputs(self) -> tuple[str, ...]:
        """The names of its inputs."""
        return INPUTS[: 2 if self.condition_dim else 1]

    def forward(self, noise: Tensor, condition: Tensor | None = None) -> Tensor:
        """Images `[N, C, H, W]` in [-1, 1] for noise `[N, dim]` and, in a conditional model, conditions `[N, dim]`."""
        read = noise if condition is None else torch.cat([noise, condition], dim=1)
        images: Tensor = self.refiner(self.generator(read))
        return images

    def split(self, noise: Tensor) -> tuple[Tensor, ...]:
        """The inputs within what a model's generator reads, contiguous, as torch.export expects of all later ones."""
        noise = noise.float().cpu()
        parts = (noise[:, : self.dim], noise[:, self.dim :]) if self.condition_dim else (noise,)
        return tuple(part.contiguous() for part in parts)


def exported(program: Program, model: Model) -> torch.export.ExportedProgram:
    """A program as a graph of torch's operators, for any number of images.

    Raises:
        WorkError: it cannot be traced.
    """
    batch = torch.export.Dim("batch", min=1)
    inputs = program.split(model.sample_noise(2, seed=0))
    shapes = {name: {0: batch} for name in program.inputs}
    faults = []
    for constants in (nullcontext(), _scalars_as_numbers(program)):
        try:
            with constants, quietly():
                return torch.export.export(program, inputs, dynamic_shapes=shapes, strict=True)
        except Exception as error:  # torch raises errors of many kinds  # noqa: BLE001
            faults.append(error)
    first = faults[0]
    raise WorkError(f"this model's generator cannot be traced by torch.export: {briefly(first)}.") from first


@contextmanager
def _scalars_as_numbers(program: Program) -> Iterator[None]:
    """Treat buffers of one number as constants: they may decide what is computed, as how far a network has grown."""
    found = [
        (module, name, buffer, name not in module._non_persistent_buffers_set)
        for module in program.modules()
        for name, buffer in module.named_buffers(recurse=False)
        if buffer.dim() == 0
    ]
    for module, name, buffer, _ in found:
        delattr(module, name)
        setattr(module, name, buffer.item())
    try:
        yield
    finally:
        for module, name, buffer, persistent in found:
            delattr(module, name)
            module.register_buffer(name, buffer, persistent=persistent)


def furthest(run: Callable[[Mapping[str, Tensor]], Tensor], program: Program, model: Model, refine: bool) -> float:
    """The greatest difference between the images of an exported program and the model's own.

    Raises:
        WorkError: it is above 1e-4, or the exported program fails.
    """
    differences = []
    for count in COUNTS:
        noise = model.sample_noise(count, seed=count)
        try:
            found = run(dict(zip(program.inputs, program.split(noise), strict=True)))
        except Exception as error:
            raise WorkError(f"the exported program fails on {count} images: {briefly(error)}.") from error
        off = (found.double() - model.generate(noise, refine).double()).abs().max().item()
        if not off <= TOLERANCE:  # also where it is NaN
            raise WorkError(
                f"the exported program's images differ from the model's by {off:.2g}; at most {TOLERANCE:g} is "
                "expected, so nothing was written: does the generator draw random numbers itself?"
            )
        differences.append(off)
    return max(differences)


@contextmanager
def quietly() -> Iterator[None]:
    """Without what torch's exporters print, warn of and log."""
    loggers = [logging.getLogger(name) for name in LOGGERS]
    levels = [logger.level for logger in loggers]
    try:
        for logger in loggers:
            logger.setLevel(logging.CRITICAL)
        with warnings.catch_warnings(), redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
