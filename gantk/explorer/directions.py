"""Directions in noise that change images the most."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from gantk.model import Model

__all__ = ["directions"]

SAMPLES, SIDE = 256, 16
"""Number of samples, and the largest side in pixels that they are compared at."""


@torch.no_grad()
def directions(model: Model, count: int = 8) -> Tensor:
    """Directions in noise along which images vary the most, by regression on the images' principal components.

    Noise vectors are regressed on the principal components of their images (a linear variant of Härkönen et al. 2020,
    arXiv:2004.02546, which finds them in hidden layers).

    Args:
        model: the model.
        count: number of directions; fewer if the noise has fewer dimensions.

    Returns:
        `[count, dim]` for noise without the condition; a step of 1 changes noise by one standard deviation of it along
        the direction.
    """
    noise = model.sample_noise(SAMPLES, seed=0)
    if model.condition is not None:  # one condition, so that the directions are of the rest
        noise[:, model.noise.dim :] = noise[:1, model.noise.dim :]
    images = model.generate(noise)
    if max(images.shape[2:]) > SIDE:
        images = F.adaptive_avg_pool2d(images, SIDE)
    z = noise[:, : model.noise.dim].double().cpu()
    centered, pixels = z - z.mean(0), images.flatten(1).double()
    parts, strengths, _ = torch.linalg.svd(pixels - pixels.mean(0), full_matrices=False)
    known = int((strengths > 1e-9 * strengths[0].clamp_min(1e-12)).sum())
    found: list[Tensor] = []
    for number in range(min(count, known, model.noise.dim)):
        direction = parts[:, number] @ centered
        for other in found:  # a direction that another slider already has changes nothing new
            direction = direction - (direction @ other) * other
        length = float(direction.norm())
        if length > 1e-9:
            found.append(direction / length)
    if not found:
        return torch.empty(0, model.noise.dim)
    unit = torch.stack(found)
    return (unit * (centered @ unit.T).std(0)[:, None]).float()
