"""Which images a step reads: by the seed and the stage, each with its label, and for each player the same as ever."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pytest
import torch
from lightning_fabric import Fabric

from gantk import Player, Stage
from gantk.data import ArraySource, DataSource
from gantk.training.batches import Batches
from gantk.training.resident import resident


def nothing(step: object) -> Mapping[str, torch.Tensor]:
    return {}


def player(brought_by: str = "", repeats: int = 1) -> Player:
    return Player("g", ("generator",), nothing, repeats=repeats, brought_by=brought_by)


def read(
    players: Sequence[Player] = (), seed: int = 0, stage: str = "game", steps: int = 3
) -> list[list[list[tuple[int, int]]]]:
    """Of each step and batch, the numbers of images with their labels."""
    pixels = np.arange(40, dtype=np.uint8)[:, None, None, None]
    batches = Batches(
        ArraySource(pixels, np.arange(40) % 7),
        seed,
        Stage(stage, [*players], batch_size=4),
        Fabric(accelerator="cpu", devices=1),
    )
    found = []
    for done in range(steps):
        step = []
        for batch in batches.of_step(done):
            assert batch.labels is not None
            numbers = ((batch.images.ravel() + 1) * 127.5).round().int().tolist()
            step.append(list(zip(numbers, batch.labels.tolist(), strict=True)))
        found.append(step)
    return found


def test_an_epoch_reads_every_image_with_its_label() -> None:
    every = [pair for step in read(steps=10) for batch in step for pair in batch]
    assert sorted(every) == [(number, number % 7) for number in range(40)]


def test_the_order_depends_on_the_seed_and_the_stage() -> None:
    orders = [read(seed=seed, stage=stage) for seed in (0, 1) for stage in ("game", "next")]
    assert orders[0] == read()
    assert all(one != other for at, one in enumerate(orders) for other in orders[:at])


@pytest.mark.parametrize("repeats", [2, 3])
def test_a_player_that_a_part_brings_leaves_the_images_of_the_others_alone(repeats: int) -> None:
    alone, joined = read([player()]), read([player(), player("addon.judge", repeats)])
    assert [len(step) for step in joined] == [repeats] * 3
    assert [step[:1] for step in joined] == alone
    both = [batch for step in joined for batch in step]
    assert all(one != other for at, one in enumerate(both) for other in both[:at])


def test_devices_read_their_own_labels(monkeypatch: pytest.MonkeyPatch) -> None:
    whole, shares = read(), []
    for rank in (0, 1):
        monkeypatch.setattr(Fabric, "world_size", property(lambda self: 2))
        monkeypatch.setattr(Fabric, "global_rank", property(lambda self, rank=rank: rank))
        shares.append(read())
    for step, first, second in zip(whole, *shares, strict=True):
        assert sorted([*first[0], *second[0]]) == sorted(step[0])


def test_images_on_the_device_are_those_that_would_be_read(images: ArraySource) -> None:
    stage, fabric = Stage("game", [player(repeats=2)], batch_size=7), Fabric(accelerator="cpu", devices=1)
    held = resident(images, torch.device("cpu"), free=1 << 30)
    assert held is not None
    assert torch.equal(held, images.images(range(40)))
    for done in range(4):
        one, other = (Batches(images, 3, stage, fabric, kept).of_step(done) for kept in (held, None))
        assert len(one) == len(other) == 2
        for batch, read in zip(one, other, strict=True):
            assert torch.equal(batch.images, read.images)
            assert torch.equal(torch.as_tensor(batch.labels), torch.as_tensor(read.labels))


def test_images_stay_where_they_are_unless_they_fit_well(images: ArraySource) -> None:
    size = 40 * 14 * 14
    assert resident(images, torch.device("cpu"), free=4 * size) is not None
    assert resident(images, torch.device("cpu"), free=4 * size - 1) is None
    assert resident(images, torch.device("cpu")) is None, "nothing is gained on a CPU"


def test_data_without_an_array_is_read(images: ArraySource) -> None:
    class Drawn(DataSource):
        image_shape = (1, 2, 2)

        def __len__(self) -> int:
            return 3

        def images(self, indices: object) -> torch.Tensor:
            raise AssertionError("nothing is read in advance")

    assert resident(Drawn(), torch.device("cpu"), free=1 << 30) is None
