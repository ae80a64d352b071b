"""AEGAN's discriminator, of embeddings and of images."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from gantk import Discriminator, Verdict, require
from gantk.nn import DownStack, Head, Norm, halve_until, init_weights, provided, read_off
from gantk.parts import ImageShape

__all__ = ["AEGANDiscriminator"]

KERNEL = 4
LARGEST_LAST = 4
LAST_GROWTHS = (2, 4, 8)


class AEGANDiscriminator(Discriminator):
    """AEGAN's discriminator: strided 4x4 convolutions with LeakyReLU(0.2) down to 4 pixels, and a linear logit.

    It covers both discriminators of the paper: `width` channels, and 2, 4 and 8 times as many in the last three layers,
    which makes three layers for embeddings of 32x32 and seven for images of 512x512. The hidden maps are the outputs
    of each LeakyReLU; the logit and the code, if any, are linear functions of the last map.

    Args:
        width: channels of all layers except the last three, at least 1.
        norm: normalization of every layer except the first; gradient penalties need one other than batch.
        norm_first: whether the first layer is normalized too, as in the authors' discriminator of embeddings.
        code: whether to also predict a code of the noise's dimension for each input.
        init_std: standard deviation of the initial weights, above 0.
    """

    paper = "Guo et al. 2019, arXiv:1903.11250, Section III.E"
    offers: Mapping[str, Mapping[str, Any]] = {
        "per-sample": {"norm": "layer"},
        "code": {"code": True},
    }

    def __init__(
        self,
        image_shape: ImageShape,
        noise_dim: int,
        *,
        width: int = 64,
        norm: Norm = "batch",
        norm_first: bool = False,
        code: bool = False,
        init_std: float = 0.02,
    ) -> None:
        super().__init__()
        require(width >= 1, f"width must be at least 1, not {width}.")
        require(init_std > 0, f"init_std must be positive, not {init_std}.")
        self.provides = provided(norm=norm, code=code)
        depth = len(halve_until(image_shape[1:], LARGEST_LAST)) - 1
        growths = ((1,) * depth + LAST_GROWTHS)[-depth:]
        self.down = DownStack(
            image_shape[0],
            image_shape[1:],
            [width * growth for growth in growths],
            kernel=KERNEL,
            norm=norm,
            norm_first=norm_first,
        )
        self.logit = Head(self.down.features, 1)
        self.code = Head(self.down.features, noise_dim) if code else None
        init_weights(self, init_std)

    def forward(self, images: Tensor) -> Verdict:
        hidden: tuple[Tensor, ...] = self.down(images)
        return read_off(hidden[-1], hidden, logit=self.logit, code=self.code)
