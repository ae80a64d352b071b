"""What callers ask a model for, checked and read: a count, a seed, noise, its truncation, conditions."""

from __future__ import annotations

import math
import operator
import os
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from gantk.calls import calling
from gantk.errors import FitError, UsageError
from gantk.parts import Condition, ImageShape, NoiseSource
from gantk.seeds import check_seed

__all__ = ["check_room", "check_truncation", "conditions", "count", "noise_vectors", "rng", "truncated"]


def count(n: Any, name: str = "n") -> int:
    """A number of images; `UsageError`, which names the argument, for what is not a whole number of 0 or more."""
    try:
        found = operator.index(n)
    except TypeError:
        found = -1
    if found < 0:
        raise UsageError(f"{name} is a number of images, 0 or more, not {n!r}.")
    return found


def check_room(n: int, image_shape: ImageShape) -> None:
    """Refuse images that this machine's memory cannot hold, before any is drawn; `UsageError` with the limit."""
    if not hasattr(os, "sysconf"):  # Windows
        return
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    most = memory // (4 * math.prod(image_shape))
    if n > most:
        raise UsageError(
            f"{n:,} images of {list(image_shape)} do not fit into memory, which has room for {most:,}: generate fewer "
            "at a time, or write them to a folder with gantk sample."
        )


def rng(seed: Any) -> torch.Generator:
    """Random numbers of a seed, drawn on the CPU; a `torch.Generator` as it is; new ones at every call for `None`."""
    if isinstance(seed, torch.Generator):
        return seed
    return torch.Generator().manual_seed(int(torch.randint(2**63 - 1, ())) if seed is None else check_seed(seed))


def noise_vectors(noise: Any, dim: int) -> Tensor:
    """Noise `[N, dim]` as a tensor; `UsageError` for anything else."""
    wanted = f"[N, {dim}]"
    try:
        given = torch.as_tensor(noise)
    except (TypeError, ValueError, RuntimeError):
        raise UsageError(f"noise is a tensor {wanted}, not a {type(noise).__name__}.") from None
    if given.is_meta:
        raise UsageError("noise on the device 'meta' has no values: move it to another device.")
    if given.is_complex() or given.dtype == torch.bool:
        raise UsageError(f"noise is real, not {given.dtype}.")
    if given.dim() != 2 or given.shape[1] != dim:
        flat = given.dim() > 2 and given.shape[0] * dim == given.numel()
        mend = "; write noise.flatten(1)" if flat else ""
        raise UsageError(f"this model's noise is {wanted}, not {list(given.shape)}{mend}.")
    return given


def check_truncation(noise: NoiseSource, threshold: Any, name: str) -> None:
    """Refuse a threshold that is no positive number, or noise that cannot be truncated, with a `UsageError`.

    Args:
        noise: of the model.
        threshold: as it was given.
        name: what the noise is called.
    """
    number = isinstance(threshold, (int, float)) and not isinstance(threshold, bool)
    if not (number and 0 < threshold < math.inf):
        raise UsageError(f"truncation is a positive number, such as 0.7, not {threshold!r}.")
    if noise.distribution != "normal":
        raise UsageError(
            f"truncation is for Gaussian noise, and this model's noise is '{name}': leave out --truncation, or build "
            "with --noise gaussian."
        )


def truncated(noise: Tensor, threshold: float, rng: torch.Generator) -> Tensor:
    """Standard normal numbers, those outside [-threshold, threshold] drawn again until they are inside.

    A number drawn again until it is inside is normal given that it is inside, so each is drawn once, through the
    inverse of that distribution function. Numbers that are inside already stay as they are.
    """
    uniform = torch.rand(noise.shape, generator=rng, device=rng.device, dtype=torch.float64)
    inside = math.erf(threshold / math.sqrt(2))
    drawn = math.sqrt(2) * torch.erfinv((2 * uniform - 1) * inside)
    bounded = drawn.to(noise).clamp(-threshold, threshold)
    return torch.where(noise.abs() > threshold, bounded, noise)


def conditions(condition: Condition | None, asked: str | Sequence[str] | Tensor, n: int) -> Tensor:
    """`[n, dim]` conditions, as a caller means them.

    Args:
        condition: of the model.
        asked: a text, several in turn, or `[dim]` or `[n, dim]` numbers.
        n: how many.

    Raises:
        UsageError: the model is not conditional, or these are not its conditions.
    """
    if condition is None:
        raise UsageError("this model is not conditional: build one with --condition, or leave out the condition.")
    if hasattr(asked, "__array__") and not isinstance(asked, Tensor):
        asked = torch.as_tensor(asked)
    if not isinstance(asked, Tensor):
        texts = list(asked) if isinstance(asked, (list, tuple)) else [asked]
        if not texts:
            raise UsageError("the list of conditions is empty: give at least one, or leave it out.")
        each = torch.cat([_meant(condition, str(text)) for text in texts])
        return each[torch.arange(n, device=each.device) % len(each)]
    if asked.shape not in ((condition.dim,), (n, condition.dim)):
        wanted = f"[{condition.dim}] or [{n}, {condition.dim}]"
        raise UsageError(f"expected conditions {wanted}, not {list(asked.shape)}.")
    return asked.expand(n, -1)


def _meant(condition: Condition, text: str) -> Tensor:
    """The condition `[1, dim]` that a text means."""
    name, wanted = f"condition {type(condition).__name__}", [1, condition.dim]
    with calling(name, f"told('{text}')"):
        found = condition.told(text)
    if list(found.shape) != wanted:
        raise FitError(f"{name}: told('{text}') returned {list(found.shape)}; expected {wanted}.")
    return found
