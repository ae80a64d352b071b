"""Minibatch discrimination, by hand."""

from __future__ import annotations

import pytest
import torch

from gantk.nn import MinibatchFeatures


@pytest.mark.parametrize("mean", [False, True])
def test_features_are_closeness_to_the_others(mean: bool) -> None:
    torch.manual_seed(0)
    layer, x = MinibatchFeatures(3, kernels=2, dims=4, mean=mean), torch.randn(5, 3)
    found = layer(x)
    rows = layer.project(x).view(5, 2, 4)
    for i in range(5):
        for b in range(2):
            close = torch.stack([(-(rows[i, b] - rows[j, b]).abs().sum()).exp() for j in range(5) if j != i])
            torch.testing.assert_close(found[i, b], close.mean() if mean else close.sum())
    torch.testing.assert_close(layer.usual, 0.1 * found.mean(dim=0))
    assert torch.equal(layer.eval()(x), layer.usual.expand(5, 2)), "in evaluation mode, the batch does not count"


def test_a_single_image_has_no_others() -> None:
    assert torch.equal(MinibatchFeatures(3, kernels=2, dims=4)(torch.randn(1, 3)), torch.zeros(1, 2))
