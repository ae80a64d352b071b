"""Classification by the nearest neighbor."""

from __future__ import annotations

import torch
from torch import Tensor

from gantk.errors import UsageError
from gantk.ops.knn import knn_distances

__all__ = ["nearest_label_accuracy"]


def nearest_label_accuracy(points: Tensor, labels: Tensor, reference: Tensor, reference_labels: Tensor) -> float:
    """The share of points whose nearest neighbor in a reference set has the same label.

    Args:
        points: `[N, D]`.
        labels: labels of the points, int64 `[N]`.
        reference: `[M, D]`, the points to search.
        reference_labels: labels of the reference points, int64 `[M]`.

    Raises:
        UsageError: the number of labels and points differs, or the points have different dimensions.
    """
    if (labels.ndim, reference_labels.ndim, len(labels), len(reference_labels)) != (1, 1, len(points), len(reference)):
        raise UsageError(
            f"each point needs one label: there are {len(points)} and {len(reference)} points, but labels "
            f"{list(labels.shape)} and {list(reference_labels.shape)}."
        )
    _, nearest = knn_distances(points, 1, reference=reference, return_indices=True)
    return (reference_labels[nearest[:, 0]] == labels).to(torch.float64).mean().item()
