"""Minibatch discrimination: how close each image is to the others of its batch."""

from __future__ import annotations

import torch
from torch import Tensor, nn

__all__ = ["MinibatchFeatures"]


class MinibatchFeatures(nn.Module):
    """Features that show how close each image is to the others of its batch (Salimans et al. 2016, section 3.2).

    With M = T x, `kernels` rows of `dims` numbers for each image, feature b of image i is the sum over the other images
    j of exp(-‖M_ib - M_jb‖₁). In evaluation mode it is a running mean, as in batch normalization, so that the verdict
    on an image does not depend on the other images.

    Args:
        features: length of the vectors x.
        kernels: number of features.
        dims: numbers that each compares.
        mean: take the mean over the other images rather than the sum, so that it does not depend on the batch's size.
    """

    MOMENTUM = 0.1

    def __init__(self, features: int, kernels: int, dims: int, *, mean: bool = False) -> None:
        super().__init__()
        self.kernels, self.dims, self.mean = kernels, dims, mean
        self.project = nn.Linear(features, kernels * dims, bias=False)
        nn.init.normal_(self.project.weight, 0.0, features**-0.5)  # distances of about 1 for features of 1
        self.register_buffer("usual", torch.zeros(kernels))
        self.usual: Tensor

    def forward(self, x: Tensor) -> Tensor:
        """`[N, kernels]` of `[N, features]`."""
        if not self.training:
            return self.usual.to(x.dtype).expand(len(x), -1)
        rows: Tensor = self.project(x)
        rows = rows.to(torch.promote_types(rows.dtype, torch.float32)).view(len(x), self.kernels, self.dims)
        close = (-(rows[:, None] - rows[None]).abs().sum(dim=3)).exp()
        others = close.sum(dim=1) - 1  # each is at distance 0 from itself
        if self.mean:
            others = others / max(len(x) - 1, 1)
        with torch.no_grad():
            self.usual.lerp_(others.mean(dim=0), self.MOMENTUM)
        return others.to(x.dtype)
