"""Points that only rounding tells apart are told of, left out and kept as exact duplicates are."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from gantk.errors import GantkWarning, UsageError
from gantk.measures import Neighbors, intrinsic_dimension, two_nn

COUNT, COPIES = 400, 100


def points(*, dtype: torch.dtype = torch.float32, scale: float = 1, offset: float = 0, dim: int = 40) -> Tensor:
    drawn = torch.randn(COUNT, dim, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    return (drawn * scale + offset).to(dtype)


def one_unit_away(x: Tensor) -> Tensor:
    return torch.from_numpy(np.nextafter(x.numpy(), x.numpy().dtype.type(np.inf)))


def scaled_and_back(x: Tensor) -> Tensor:
    return x * 3 / 7 * 7 / 3


def shifted_and_back(x: Tensor) -> Tensor:
    return (x + 1) - 1


SAME: dict[str, tuple[Tensor, Callable[[Tensor], Tensor], Callable[[Tensor], Any]]] = {
    "float32": (points(), one_unit_away, Tensor.clone),
    "float64": (points(dtype=torch.float64), one_unit_away, Tensor.clone),
    "float16": (points(dtype=torch.float16), one_unit_away, Tensor.clone),
    "float16 in float32": (points(dtype=torch.float16), one_unit_away, Tensor.float),
    "float16 in float64": (points(dtype=torch.float16), one_unit_away, Tensor.double),
    "float32 in float64": (points(), one_unit_away, Tensor.double),
    "a float16 array": (points(dtype=torch.float16), one_unit_away, Tensor.numpy),
    "huge": (points(scale=1e6), one_unit_away, Tensor.clone),
    "tiny": (points(scale=1e-6), one_unit_away, Tensor.clone),
    "far from the origin": (points(offset=1000), one_unit_away, Tensor.clone),
    "far from the origin in float64": (points(offset=1e6, dtype=torch.float64), one_unit_away, Tensor.clone),
    "scaled and back": (points(), scaled_and_back, Tensor.clone),
    "shifted and back": (points(scale=0.1, offset=0.5), shifted_and_back, Tensor.clone),
    "images": (points(dim=3 * 8 * 8).sigmoid(), one_unit_away, lambda x: x.view(-1, 3, 8, 8)),
}


@pytest.mark.parametrize(("x", "copy", "given"), SAME.values(), ids=SAME)
def test_near_copies_are_treated_as_copies(
    x: Tensor, copy: Callable[[Tensor], Tensor], given: Callable[[Tensor], Any]
) -> None:
    both = given(torch.cat((x, copy(x[:COPIES]))))
    with pytest.raises(UsageError, match=f"{COPIES} of {COUNT + COPIES} points .*use duplicates='drop'"):
        two_nn(both)
    with pytest.raises(UsageError, match="only by rounding error"):
        intrinsic_dimension(both, 5)
    dropped = two_nn(both, duplicates="drop")
    assert dropped.fit == two_nn(given(x)).fit
    assert (dropped.neighbors.dropped, dropped.neighbors.near) == (0, COPIES)
    kept = Neighbors.search(both, 5, duplicates="keep")
    assert kept.at_zero == 2 * COPIES
    exact = Neighbors.search(given(torch.cat((x, x[:COPIES]))), 5, duplicates="keep")
    assert two_nn(kept).fit == pytest.approx(two_nn(exact).fit, rel=1e-3)


def test_many_near_copies_of_one_point() -> None:
    x = points()
    group = x[:1].repeat(50, 1)
    group[torch.arange(40), torch.arange(40)] = one_unit_away(x[0])
    found = Neighbors.search(torch.cat((x, group)), 2, duplicates="drop")
    assert (found.dropped, found.near) == (10, 40)
    assert torch.equal(found.distances, Neighbors.search(x, 2).distances)


@pytest.mark.parametrize(
    "x",
    [
        points().mul(1000).round(),
        torch.randint(0, 256, (COUNT, 8), generator=torch.Generator().manual_seed(0), dtype=torch.uint8),
        torch.randint(0, 256, (COUNT, 30), generator=torch.Generator().manual_seed(0)) / 255,
        torch.cat((points(), points()[:COPIES] * (1 + 1e-4))),
        points(offset=1000, dim=10),
    ],
    ids=["whole numbers", "bytes", "levels", "near, but not as near as that", "far from the origin"],
)
def test_what_more_than_rounding_tells_apart_is_left_alone(x: Tensor) -> None:
    assert len(Neighbors.search(x, 2).distances) == len(x)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("change", [3e-6, 1e-5, 1e-4])
def test_copies_with_slight_changes_are_told_of(dtype: torch.dtype, change: float) -> None:
    x = points(dtype=dtype)
    with pytest.warns(GantkWarning, match=r"^200 of 500 points are more than 1,000 times closer .* remove copies"):
        intrinsic_dimension(torch.cat((x, x[:COPIES] * (1 + change))), 5)


@pytest.mark.parametrize("dim", [1, 2, 10])
def test_points_without_copies_are_not_warned_of(dim: int) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        two_nn(torch.rand(4000, dim, generator=torch.Generator().manual_seed(0), dtype=torch.float64))


def test_too_few_points_are_left() -> None:
    x = points()[:6]
    with pytest.raises(UsageError, match="k is from 1 to 5 for 6 points without 6 duplicates, not 8"):
        Neighbors.search(torch.cat((x, one_unit_away(x))), 8, duplicates="drop")
