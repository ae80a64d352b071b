"""The images of a stage's steps, in an order that depends on nothing but the seed."""

from __future__ import annotations

import torch
from torch import Tensor

from gantk.data import DataSource, to_float
from gantk.data.order import Order
from gantk.errors import DataError, briefly
from gantk.memory import ran_out
from gantk.schedule import Batch, Stage
from gantk.training.ahead import Ahead
from gantk.training.fabric import Fabric

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
        images: all images on this process's device, if they are there.
    """

    def __init__(self, data: DataSource, seed: int, stage: Stage, fabric: Fabric, images: Tensor | None = None) -> None:
        self._images = images
        self._data, self._size, self._fabric = data, stage.batch_size, fabric
        self._orders = (
            (Order(len(data), seed, stage.name), stage.batches()),
            (Order(len(data), seed, stage.name, "brought"), stage.further_batches()),
        )
        self._ahead = Ahead(self._read, data.ahead)

    def of_step(self, done: int, last: int | None = None) -> list[Batch]:
        """This device's share of the batches of one step; those of players that parts brought come last.

        Args:
            done: steps of the stage before this one.
            last: the number of the stage's last step, counted from 0; by default this one. The next step's images are
                read while this step is computed, if training would otherwise wait for them.

        Raises:
            DataError: an image cannot be read.
        """
        try:
            read = self._ahead.of_step(done, done if last is None else last)
        except Exception as error:
            if not (isinstance(error, OSError) or ran_out(error)):
                raise
            raise DataError(f"an image cannot be read: {briefly(error) or 'not enough memory'}") from error
        return [
            Batch(to_float(self._pixels(found)), None if labels is None else self._moved(labels))
            for found, labels in read
        ]

    def _pixels(self, found: Tensor) -> Tensor:
        """Images on the device: those that were read, or those of these numbers."""
        moved = self._moved(found)
        return moved if self._images is None else self._images[moved]

    def _moved(self, tensor: Tensor) -> Tensor:
        if self._fabric.device.type == "cuda":
            tensor = tensor.pin_memory()  # otherwise the copy is waited for
        return self._fabric.to_device(tensor)

    def close(self) -> None:
        """End the thread that reads ahead, if there is one."""
        self._ahead.close()

    def _read(self, done: int) -> list[tuple[Tensor, Tensor | None]]:
        """Images, or their numbers if the images are on the device, and labels of every batch, on the CPU."""
        found = []
        for order, number in ((order, done * n + each) for order, n in self._orders for each in range(n)):
            indices = order.indices(number * self._size, self._size)
            mine = indices[self._fabric.global_rank :: self._fabric.world_size]
            images = self._data.images(mine) if self._images is None else torch.from_numpy(mine.copy())
            found.append((images, self._data.labels(mine)))
        return found
