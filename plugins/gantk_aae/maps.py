"""An autoencoder whose codes are maps, from a generator that has one within."""

from __future__ import annotations

import math

from torch import Tensor, nn

from gantk import Generator, Posterior
from gantk.construct import nested
from gantk.errors import FitError
from gantk.nn import point
from gantk.parts import ImageShape

__all__ = ["MapAutoencoder"]


class MapAutoencoder(Generator):
    """The encoder and the decoder of another generator as an autoencoder; noise takes the place of its embeddings.

    The other generator has modules `encoder` and `decoder` and the shape of what the one hands to the other,
    `embedding_shape`; a code has as many numbers as an embedding. What that generator maps noise to embeddings by is
    left out.

    Args:
        of: generator plugin, with options.
    """

    provides = frozenset({"posterior"})

    def __init__(
        self, image_shape: ImageShape, noise_dim: int, class_count: int, *, of: str = "gantk:aegan:width=8,embedding=8"
    ) -> None:
        super().__init__()
        whole = nested("generator", of, image_shape=image_shape, noise_dim=1, class_count=class_count, condition_dim=0)
        shape: tuple[int, ...] | None = getattr(whole, "embedding_shape", None)
        halves = [getattr(whole, name, None) for name in ("encoder", "decoder")]
        if shape is None or not all(isinstance(half, nn.Module) for half in halves):
            raise FitError(f"generator '{of}' has no encoder, decoder and embedding_shape: use of=aegan")
        numbers = math.prod(shape)
        if noise_dim != numbers:
            raise FitError(
                f"an embedding of generator '{of}' has {numbers} numbers, and this noise has {noise_dim}: "
                f"it needs noise of dim={numbers}"
            )
        self.image_shape = image_shape
        self.encoder = nn.Sequential(whole.encoder, nn.Flatten())
        self.decoder = nn.Sequential(nn.Unflatten(1, shape), whole.decoder)

    def forward(self, noise: Tensor) -> Tensor:
        images: Tensor = self.decoder(noise)
        return images

    def encode(self, images: Tensor) -> Posterior:
        codes: Tensor = self.encoder(images)
        return point(codes)
