"""The fused losses by definition, in numpy and float64, and the inputs that their tests share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

DTYPES = (torch.float32, torch.bfloat16, torch.float16, torch.float64)
DISTANCES = ("mse", "l1", "bce")

SHAPES = ((1, 1), (3, 5), (2, 63), (5, 64), (4, 65), (3, 2, 7, 11), (2, 3, 40, 41), (70, 17), (2, 70001))
"""Odd sizes: below, at and above a stripe, a block and a span."""


def draw(*shape: int, dtype: torch.dtype = torch.float64, seed: int = 0, spread: float = 1.0) -> Tensor:
    return (spread * torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)).to(dtype)


def draw_images(*shape: int, dtype: torch.dtype = torch.float64, seed: int = 0) -> Tensor:
    """Within [-1, 1], and a few at and beyond the ends."""
    images = torch.rand(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64) * 1.98 - 0.99
    images.view(-1)[:: max(1, images.numel() // 3)] = 1.5
    return images.to(dtype)


def numbers(x: Tensor) -> Any:
    return x.detach().double().numpy()


def norm(a: Tensor, b: Tensor, p: int) -> float:
    difference = np.abs(numbers(a) - numbers(b)).reshape(len(a), -1)
    return float(((difference**p).sum(1) ** (1 / p)).mean())


def vae(images: Tensor, target: Tensor, mean: Tensor, log_variance: Tensor, kind: str, beta: float) -> float:
    x, y, m, v = (numbers(z) for z in (images, target, mean, log_variance))
    p, t = np.clip((x + 1) / 2, 1e-7, 1 - 1e-7), (y + 1) / 2
    errors: dict[str, Callable[[], Any]] = {
        "mse": lambda: (x - y) ** 2,
        "l1": lambda: np.abs(x - y),
        "bce": lambda: -(t * np.log(p) + (1 - t) * np.log1p(-p)),
    }
    divergence = 0.5 * (m**2 + np.exp(v) - v - 1).sum() / len(m)
    return float(errors[kind]().sum() / len(x) + beta * divergence)
