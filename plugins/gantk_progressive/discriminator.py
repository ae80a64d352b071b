"""Progressive GAN's discriminator."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from torch import Tensor, nn

from gantk import Discriminator, Verdict
from gantk.nn import Size, read_off
from gantk.parts import ImageShape
from gantk_progressive.growth import Growth, channels, check_widths, resolutions
from gantk_progressive.layers import BatchStd, EqualConv, EqualLinear, activation, halve

__all__ = ["ProGANDiscriminator"]


class _Halving(nn.Module):
    """Two convolutions, then the mean of each 2×2 block."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.convs = nn.Sequential(
            EqualConv(inputs, inputs, 3), activation(), EqualConv(inputs, outputs, 3), activation()
        )

    def forward(self, x: Tensor) -> Tensor:
        return halve(cast(Tensor, self.convs(x)))


class _Last(nn.Module):
    """The smallest map's block: minibatch standard deviation, a convolution, and features of the whole map."""

    def __init__(self, width: int, size: Size, features: int, *, batch_std: bool) -> None:
        super().__init__()
        self.batch_std = BatchStd() if batch_std else None
        self.conv = nn.Sequential(EqualConv(width + batch_std, width, 3), activation())
        self.features = nn.Sequential(nn.Flatten(), EqualLinear(width * size[0] * size[1], features), activation())

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """The convolution's map, and the features computed from it."""
        hidden: Tensor = self.conv(x if self.batch_std is None else self.batch_std(x))
        return hidden, self.features(hidden)


class ProGANDiscriminator(Discriminator):
    """Progressive GAN's discriminator, the mirror of its generator. It judges images of any of its resolutions.

    The size of the images selects the resolution; while the current one fades in, its layers have the weight `alpha`.
    The hidden maps are the outputs of each halving and of the last convolution, the deepest last; the logit and the
    code, if any, are linear functions of the last layer's features.

    Args:
        fmap_base: channels at depth d are fmap_base / 2^(d + 1) (d = 0 is the smallest map), at least 1.
        fmap_max: maximum number of channels of a map, at least 1.
        batch_std: whether to add the minibatch standard deviation, in groups of four, as a feature; a verdict in
            training then depends on the batch.
        code: whether to also predict a code of the noise's dimension for each image.
    """

    paper = "Karras et al. 2018, arXiv:1710.10196, Table 2 and section 3"
    offers: Mapping[str, Mapping[str, Any]] = {"per-sample": {"batch_std": False}, "code": {"code": True}}

    def __init__(
        self,
        image_shape: ImageShape,
        noise_dim: int,
        *,
        fmap_base: int = 8192,
        fmap_max: int = 512,
        batch_std: bool = True,
        code: bool = False,
    ) -> None:
        super().__init__()
        check_widths(fmap_base, fmap_max)
        optional = {"per-sample": not batch_std, "code": code}
        self.provides = frozenset({"logits", "hidden", *(name for name, has in optional.items() if has)})
        sizes = resolutions(image_shape[1:])
        widths = [channels(depth, fmap_base, fmap_max) for depth in range(len(sizes))]
        features = channels(-1, fmap_base, fmap_max)
        self.growth = Growth(sizes)
        self.from_image = nn.ModuleList(
            nn.Sequential(EqualConv(image_shape[0], width, 1), activation()) for width in widths
        )
        self.halvings = nn.ModuleList(_Halving(i, o) for i, o in zip(widths[1:], widths[:-1], strict=True))
        self.last = _Last(widths[0], sizes[0], features, batch_std=batch_std)
        self.logit = EqualLinear(features, 1, gain=1.0)
        self.code = EqualLinear(features, noise_dim, gain=1.0) if code else None

    def forward(self, images: Tensor) -> Verdict:
        """The verdict on images of any resolution; `FitError` for images of another size."""
        depth = self.growth.depth_of((images.shape[2], images.shape[3]))
        fading = self.growth.fades and depth == self.growth.depth
        x = self.from_image[depth](images)
        maps: list[Tensor] = []
        for below in reversed(range(depth)):
            x = self.halvings[below](x)
            if below == depth - 1 and fading:
                x = self.growth.faded(self.from_image[below](halve(images)), x)
            maps.append(x)
        hidden, features = self.last(x)
        return read_off(features, (*maps, hidden), logit=self.logit, code=self.code)
