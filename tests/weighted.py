"""The layers of a network, for comparison with a paper's table."""

from __future__ import annotations

from torch import nn

__all__ = ["layers"]


def layers(module: nn.Module) -> list[str]:
    """Every layer with weights, batch normalization and dropout, in order: `conv 3→8 4 /2`, `linear 10→8`, `bn 8`."""
    found = []
    for layer in module.modules():
        if isinstance(layer, nn.Conv2d):
            found.append(f"conv {layer.in_channels}→{layer.out_channels} {layer.kernel_size[0]} /{layer.stride[0]}")
        elif isinstance(layer, nn.Linear):
            found.append(f"linear {layer.in_features}→{layer.out_features}")
        elif isinstance(layer, (nn.BatchNorm1d, nn.BatchNorm2d)):
            found.append(f"bn {layer.num_features}")
        elif isinstance(layer, nn.Dropout):
            found.append(f"dropout {layer.p}")
    return found
