"""A device generates as many images at once as suits it; image i of a seed does not depend on how many are wanted."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from gantk import Generator, Model, NoiseSource, chunks
from gantk.chunks import CHUNK, chunk_size
from gantk.measures.samples import sample_batches

GPU = torch.device("cuda")


class Normal(NoiseSource):
    dim = 3

    def sample(self, n: int, rng: torch.Generator | None = None) -> Tensor:
        return self.draw_normal(n, self.dim, rng=rng)


class Counted(Generator):
    """Notes the size of every batch; the batch's size is in its images too, as a kernel's rounding would be."""

    image_shape = (1, 2, 3)

    def __init__(self) -> None:
        super().__init__()
        self.sizes: list[int] = []

    def forward(self, noise: Tensor) -> Tensor:
        self.sizes.append(len(noise))
        return (noise[:, :1, None, None] + len(noise)).expand(-1, -1, 2, 3)


@pytest.mark.parametrize("shape", [(1, 28, 28), (3, 1024, 1024)])
def test_a_cpu_generates_32_at_once(shape: tuple[int, int, int]) -> None:
    assert chunk_size(torch.device("cpu"), shape) == CHUNK == 32


@pytest.mark.parametrize("memory", [0, 2**31, 2**33, 2**37], ids=["none", "2 GiB", "8 GiB", "128 GiB"])
@pytest.mark.parametrize("side", [1, 28, 64, 128, 256, 1024])
def test_a_gpu_generates_what_its_memory_allows(memory: int, side: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chunks, "_memory", lambda device: memory)
    found = chunk_size(GPU, (3, side, side))
    assert found in (32, 64, 128, 256), "it divides 256, so that batches of 256 are whole chunks"
    assert found == 32 or found * side * side * 1024 <= memory / 16
    smaller = chunk_size(GPU, (3, 2 * side, side))
    assert smaller <= found


def test_a_large_gpu_generates_256_digits_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chunks, "_memory", lambda device: 80 * 2**30)
    assert chunk_size(GPU, (1, 28, 28)) == 256
    assert chunk_size(GPU, (3, 1024, 1024)) == 32


def test_an_image_is_the_same_whatever_their_number(monkeypatch: pytest.MonkeyPatch) -> None:
    model = Model(Normal(), Counted())
    alone = model.sample_noise(300, seed=4)
    monkeypatch.setattr("gantk.model.chunk_size", lambda device, shape: 128)
    assert torch.equal(model.sample_noise(300, seed=4), alone), "the noise of a seed is every device's"
    whole = model.sample(300, seed=4)
    for count in (1, 32, 33, 128, 129):
        assert torch.equal(model.sample(count, seed=4), whole[:count])
    assert torch.equal(torch.cat(list(sample_batches(model, 300, seed=4))), whole)
    assert set(model.generator.sizes) == {128}  # type: ignore[arg-type]
