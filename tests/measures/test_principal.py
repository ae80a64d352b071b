"""Principal components against a singular value decomposition, and points whose directions are known."""

from __future__ import annotations

import pytest
import torch

from gantk.errors import UsageError
from gantk.measures.principal import principal_components


def points(count: int = 200, dim: int = 7) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(count, dim, generator=generator) @ torch.randn(dim, dim, generator=generator) + 5


def test_projections_and_variances_are_those_of_a_decomposition() -> None:
    found = principal_components(points(), 3)
    centered = points().double() - points().double().mean(0)
    left, values, _ = torch.linalg.svd(centered, full_matrices=False)
    torch.testing.assert_close(found.variances, values.square() / 199)
    torch.testing.assert_close(found.projected.abs(), (left * values)[:, :3].abs())
    assert float(found.shares.sum()) == pytest.approx(1)


def test_a_line_is_one_component() -> None:
    line = torch.linspace(0, 1, 50)[:, None] * torch.tensor([[3.0, 4.0]])
    found = principal_components(line)
    assert found.needed(0.99) == 1
    assert found.shares.tolist() == pytest.approx([1, 0])
    assert found.projected[:, 0].tolist() == pytest.approx((torch.linspace(0, 1, 50) * 5 - 2.5).tolist(), abs=1e-6)


def test_fewer_dimensions_than_components_and_points_that_are_the_same() -> None:
    found = principal_components(torch.arange(5.0)[:, None])
    assert found.projected[:, 1].tolist() == [0] * 5
    same = principal_components(torch.ones(4, 3))
    assert same.shares.tolist() == [0, 0, 0]
    assert same.needed(0.9) == 3


@pytest.mark.parametrize("shape", [(1, 3), (5, 0), (5,)])
def test_what_is_no_points(shape: tuple[int, ...]) -> None:
    with pytest.raises(UsageError, match="points are"):
        principal_components(torch.zeros(shape))
