"""Nearest training images against a search by hand; what is memorized is found, and what is new is not blamed."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
import torch
from torch import Tensor

from gantk.data import ArraySource
from gantk.errors import UsageError
from gantk.measures import Side
from gantk.measures import search as searching
from gantk.measures.nearest import training_neighbors
from gantk.measures.search import Points, search
from gantk_metrics.pixels import Pixels


def rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def blobs(count: int, seed: int) -> Tensor:
    """Images of two numbers, seen through 16 pixels, with a little noise: uint8 `[count, 1, 4, 4]`."""
    codes = torch.randn(count, 2, generator=rng(seed))
    maps = torch.randn(2, 16, generator=rng(99))
    noise = torch.randn(count, 16, generator=rng(seed + 1))
    return (128 + 25 * codes @ maps + 4 * noise).clamp(0, 255).round().to(torch.uint8).view(count, 1, 4, 4)


TRAINING = blobs(600, 10)


def distances_by_hand(x: Tensor, y: Tensor) -> Tensor:
    return (x.flatten(1).double()[:, None] - y.flatten(1).double()[None]).square().sum(2).sqrt()


class Read:
    """Points of which the largest part that was read at once is noted."""

    def __init__(self, points: Tensor) -> None:
        self._points = points
        self.most = 0

    def __call__(self, indices: Sequence[int]) -> Tensor:
        self.most = max(self.most, len(indices))
        return self._points[list(indices)]


@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32])
@pytest.mark.parametrize("size", [1, 7, 100, 600])
def test_a_search_in_blocks_is_a_search(size: int, dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch) -> None:
    points, queries = TRAINING.to(dtype), blobs(20, 30).to(dtype)
    read = Read(points)
    monkeypatch.setattr(searching, "BLOCK", size * 16 * points.element_size())
    distances, indices = search(queries, Points(600, read), 5)
    by_hand = distances_by_hand(queries, points).sort(dim=1, stable=True)
    torch.testing.assert_close(distances, by_hand.values[:, :5], rtol=1e-12, atol=0)
    assert torch.equal(indices, by_hand.indices[:, :5])
    assert read.most == size


@pytest.mark.parametrize("size", [3, 600])
def test_points_that_are_left_out_are_no_neighbors(size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(searching, "BLOCK", size * 16)
    itself = torch.arange(20)
    left_out = torch.stack([itself, torch.where(itself < 10, itself + 50, -1)], dim=1)
    distances, indices = search(TRAINING[:20], Points(600, Read(TRAINING)), 3, left_out)
    by_hand = distances_by_hand(TRAINING[:20], TRAINING)
    by_hand[itself, itself] = torch.inf
    by_hand[itself[:10], itself[:10] + 50] = torch.inf
    expected = by_hand.sort(dim=1, stable=True)
    torch.testing.assert_close(distances, expected.values[:, :3], rtol=1e-12, atol=0)
    assert torch.equal(indices, expected.indices[:, :3])


def test_of_points_equally_far_the_first_comes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(searching, "BLOCK", 2 * 16)
    points = torch.zeros(9, 1, 4, 4, dtype=torch.uint8)
    assert search(points[:1], Points(9, Read(points)), 4)[1].tolist() == [[0, 1, 2, 3]]


def test_fewer_points_than_wanted_are_told() -> None:
    distances, indices = search(TRAINING[:1], Points(2, Read(TRAINING[:2])), 3)
    assert indices[0, 2] == -1
    assert distances[0, 2] == torch.inf


def test_replayed_training_images_are_memorized() -> None:
    replayed = TRAINING[torch.randint(600, (200,), generator=rng(1))]
    found = training_neighbors(replayed, Points.of_images(ArraySource(TRAINING)))
    assert found.equal == 200
    assert found.copied == 1.0
    assert found.is_memorized


def test_training_images_with_a_little_noise_are_memorized() -> None:
    noise = torch.randint(-1, 2, (200, 1, 4, 4), generator=rng(2))
    near = (TRAINING[:200].int() + noise).clamp(0, 255).to(torch.uint8)
    found = training_neighbors(near, Points.of_images(ArraySource(TRAINING)))
    assert found.equal == 0
    assert found.copied > 0.95
    assert found.is_memorized
    assert (found.indices[:, 0] == torch.arange(200)).float().mean() > 0.95


@pytest.mark.parametrize("seed", range(40, 60, 4))
def test_new_images_of_the_same_kind_are_not(seed: int) -> None:
    found = training_neighbors(blobs(300, seed), Points.of_images(ArraySource(TRAINING)), seed=seed)
    assert abs(found.copied - found.expected) < 0.15
    assert 0.1 < found.expected < 0.6, "some new images are as near"
    assert not found.is_memorized


def test_images_of_another_kind_are_not() -> None:
    other = torch.randint(0, 256, (100, 1, 4, 4), generator=rng(3), dtype=torch.uint8)
    found = training_neighbors(other, Points.of_images(ArraySource(TRAINING)))
    assert found.copied < found.expected
    assert not found.is_memorized


def test_whether_a_sample_is_copied_by_hand() -> None:
    found = training_neighbors(blobs(50, 60), Points.of_images(ArraySource(TRAINING)), k=2)
    to_training = distances_by_hand(blobs(50, 60), TRAINING)
    among = distances_by_hand(TRAINING, TRAINING)
    among.fill_diagonal_(torch.inf)
    near = to_training.argmin(1)
    assert torch.equal(found.samples.copied, to_training.min(1).values <= among.min(1).values[near])
    assert found.distances.shape == found.indices.shape == (50, 2)


def test_a_copy_of_an_image_that_is_there_twice_is_copied() -> None:
    doubled = torch.cat([TRAINING[:100], TRAINING[:100]])
    found = training_neighbors(TRAINING[:30], Points.of_images(ArraySource(doubled)))
    assert found.copied == found.expected == 1.0
    assert found.equal == 30


def test_features_of_pixels_are_as_near_as_pixels() -> None:
    samples, training = blobs(40, 70), ArraySource(TRAINING)
    pixels = training_neighbors(samples, Points.of_images(training))
    side, drawn = Side(training, Pixels((1, 4, 4))), Side(ArraySource(samples), Pixels((1, 4, 4)))
    features = training_neighbors(drawn.features, Points.of_tensor(side.features))
    assert torch.equal(pixels.samples.copied, features.samples.copied)
    torch.testing.assert_close(features.distances * 127.5, pixels.distances, rtol=1e-4, atol=1e-3)


def test_progress_runs_to_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(searching, "BLOCK", 100 * 16)
    told: list[float] = []
    training_neighbors(blobs(9, 80), Points.of_images(ArraySource(TRAINING)), progress=told.append)
    assert told == sorted(told)
    assert told[-1] == 1.0
    assert len(told) == 12


@pytest.mark.parametrize(("count", "k"), [(2, 1), (4, 5)])
def test_too_few_training_images(count: int, k: int) -> None:
    with pytest.raises(UsageError, match=f"at least {max(k, 3)} training images are needed, but there are {count}"):
        training_neighbors(TRAINING[:2], Points.of_images(ArraySource(TRAINING[:count])), k)


def test_as_many_neighbors_as_there_are_images() -> None:
    found = training_neighbors(TRAINING[:2], Points.of_images(ArraySource(TRAINING[5:9])), 4)
    assert sorted(found.indices[0].tolist()) == [0, 1, 2, 3]
    assert found.distances.isfinite().all()
