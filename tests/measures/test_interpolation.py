"""Paths between points, against the formulas written down again in numpy."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from gantk.measures.interpolation import PATHS, linear, spherical, strips


def reference(start: np.ndarray, end: np.ndarray, t: float) -> np.ndarray:
    """Shoemake's slerp of the directions in double precision; lengths on a line."""
    start, end = start.astype(np.float64), end.astype(np.float64)
    one, other = np.linalg.norm(start), np.linalg.norm(end)
    cosine = np.dot(start, end) / (one * other)
    angle = np.arccos(np.clip(cosine, -1, 1))
    direction = (np.sin((1 - t) * angle) * start / one + np.sin(t * angle) * end / other) / np.sin(angle)
    return ((1 - t) * one + t * other) * direction


@pytest.mark.parametrize("dim", [2, 3, 16, 512])
def test_spherical_is_slerp(dim: int) -> None:
    rng = torch.Generator().manual_seed(dim)
    points = torch.randn(20, dim, generator=rng) * torch.rand(20, 1, generator=rng) * 5
    found = strips(points, 7, spherical).view(10, 7, dim)
    for row in range(10):
        start, end = points[2 * row].numpy(), points[2 * row + 1].numpy()
        for step, t in enumerate(np.linspace(0, 1, 7)):
            np.testing.assert_allclose(found[row, step].numpy(), reference(start, end, t), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("angle", [1e-3, 1e-2, 1.0, 3.0, np.pi - 1e-2, np.pi - 1e-3])
def test_spherical_stays_on_the_sphere_at_every_angle(angle: float) -> None:
    start = torch.tensor([1.0, 0.0])
    end = torch.tensor([np.cos(angle), np.sin(angle)], dtype=torch.float32)
    for t in (0.25, 0.5, 0.75):
        found = spherical(start, end, torch.tensor([t]))
        np.testing.assert_allclose(found.norm().item(), 1, atol=1e-3)
        np.testing.assert_allclose(found.numpy(), [np.cos(t * angle), np.sin(t * angle)], atol=1e-3)


@pytest.mark.parametrize("scale", [1.0, 2.5, -1.0, -3.0, 0.0])
def test_spherical_of_points_on_one_line_is_the_line(scale: float) -> None:
    start = torch.tensor([0.3, -1.2, 2.0])
    for t in (0.0, 0.3, 1.0):
        found = spherical(start, scale * start, torch.tensor([t]))
        np.testing.assert_allclose(found.numpy(), (1 - t + t * scale) * start.numpy(), atol=1e-5)


def test_spherical_of_nothing_is_nothing() -> None:
    zero = torch.zeros(3)
    assert spherical(zero, zero, torch.tensor([0.5])).tolist() == [0, 0, 0]
    assert spherical(torch.tensor([2.0]), torch.tensor([4.0]), torch.tensor([0.5])).tolist() == [3.0], "one dimension"


@pytest.mark.parametrize("path", PATHS.values(), ids=PATHS)
@pytest.mark.parametrize("dim", [1, 5])
def test_strips_go_from_end_to_end_in_order(path, dim: int) -> None:
    points = torch.randn(6, dim, generator=torch.Generator().manual_seed(1))
    found = strips(points, 4, path)
    assert found.shape == (12, dim)
    torch.testing.assert_close(found[0::4], points[0::2])
    torch.testing.assert_close(found[3::4], points[1::2])


def test_linear_is_even_and_exact_at_its_ends() -> None:
    points = torch.randn(2, 50, generator=torch.Generator().manual_seed(2)) * 1e4
    found = strips(points, 11, linear)
    assert torch.equal(found[0], points[0])
    assert torch.equal(found[-1], points[1])
    expected = np.linspace(points[0].numpy(), points[1].numpy(), 11)
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-5, atol=1e-2)
