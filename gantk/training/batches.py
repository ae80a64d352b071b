"""The images of a stage's steps, in an order that depends on nothing but the seed."""

from __future__ import annotations

from collections.abc import Iterator

from lightning_fabric import Fabric

from gantk.data import DataSource, to_float
from gantk.data.order import Order
from gantk.errors import DataError, briefly
from gantk.memory import ran_out
from gantk.schedule import Batch, Stage

__all__ = ["Batches"]


class Batches:
    """The batches of one stage.

    The recipe's players, and players that parts brought, have orders of their own: a part that brings a player does not
    change which images the others see.

    Args:
        data: the training data.
        seed: the seed of the run.
        stage: the stage.
        fabric: the devices, each of which reads its share of every batch.
    """

    def __init__(self, data: DataSource, seed: int, stage: Stage, fabric: Fabric) -> None:
        self._data, self._size, self._fabric = data, stage.batch_size, fabric
        self._orders = (
            (Order(len(data), seed, stage.name), stage.batches()),
            (Order(len(data), seed, stage.name, "brought"), stage.further_batches()),
        )

    def of_step(self, done: int) -> list[Batch]:
        """This device's share of the batches of one step; those of players that parts brought come last.

        Args:
            done: steps of the stage before this one.

        Raises:
            DataError: an image cannot be read.
        """
        try:
            return list(self._read(done))
        except Exception as error:
            if not (isinstance(error, OSError) or ran_out(error)):
                raise
            raise DataError(f"an image cannot be read: {briefly(error) or 'not enough memory'}") from error

    def _read(self, done: int) -> Iterator[Batch]:
        for order, number in ((order, done * n + each) for order, n in self._orders for each in range(n)):
            indices = order.indices(number * self._size, self._size)
            mine = indices[self._fabric.global_rank :: self._fabric.world_size]
            images, labels = self._data.images(mine), self._data.labels(mine)
            yield Batch(
                to_float(self._fabric.to_device(images)), None if labels is None else self._fabric.to_device(labels)
            )
