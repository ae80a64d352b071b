"""AEGAN's denoiser: a refiner for the images of any generator, with a discriminator of its own."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor, nn

from gantk import Binding, Joined, Loss, Player, Refiner, Stage, Step, Terms, require
from gantk.construct import construct, nested
from gantk.errors import FitError
from gantk.nn import downsampler, halve_until, init_weights, output_activation, upsampler
from gantk.options import parse_part
from gantk.parts import ImageShape

__all__ = ["Denoiser"]

KERNEL = 4
LARGEST_GROWTH = 8
DROPPED_BLOCKS = 3


class Denoiser(Refiner):
    """AEGAN's denoiser φ: it makes generated images look real and stays close to them.

    It adds two players to every game: a discriminator that separates real from refined images, and φ, which minimizes
    the adversarial loss + λ ‖φ(x̂) - x̂‖₁, the mean over pixels. Both treat the generated image x̂ as a constant, and
    the game's own players train as if there were no denoiser.

    φ downsamples the image to one pixel (on its shorter side) and upsamples it again, with 4x4 convolutions.

    Args:
        width: channels of the layer next to the image, at least 1; they double with each halving, up to 8 · width.
        skips: whether to add skip connections between maps of the same size.
        dropout: dropout probability in the first three upsampling layers, in [0, 1).
        weight: the factor λ, 0 or more.
        loss: adversarial loss plugin, with options.
        discriminator: discriminator plugin, with options; if empty, aegan of the same width.
        init_std: standard deviation of φ's initial weights, above 0.
    """

    paper = "Guo et al. 2019, arXiv:1903.11250, Section III.C"

    def __init__(
        self,
        image_shape: ImageShape,
        noise_dim: int,
        *,
        width: int = 64,
        skips: bool = False,
        dropout: float = 0.5,
        weight: float = 100.0,
        loss: str = "gantk:nonsaturating",
        discriminator: str = "",
        init_std: float = 0.02,
    ) -> None:
        super().__init__()
        require(width >= 1, f"width must be at least 1, not {width}.")
        require(0 <= dropout < 1, f"dropout must be 0 … 1 exclusive, not {dropout}.")
        require(0 <= weight < math.inf, f"weight must be 0 or more and finite, not {weight}.")
        require(init_std > 0, f"init_std must be positive, not {init_std}.")
        self.weight = weight
        self.loss = _adversarial(loss)
        self.loss_name = parse_part(loss)[0].rpartition(":")[2]
        self.network = HourGlass(image_shape, width, skips, dropout)
        init_weights(self.network, init_std)
        self.discriminator = nested(
            "discriminator",
            discriminator or f"gantk:aegan:width={width}",
            self.loss.needs,
            image_shape=image_shape,
            noise_dim=noise_dim,
        )

    def forward(self, images: Tensor) -> Tensor:
        refined: Tensor = self.network(images)
        return refined

    def players(self, path: str, stage: Stage) -> Sequence[Player]:
        """`PATH-discriminator`, then `PATH`, in every game."""
        if not stage.adversarial:
            return ()
        losses = [(self.loss_name, self.loss)]
        sees = Binding(discriminator=f"{path}.discriminator", fake="refined")
        refine = Joined({"game": Terms(losses, "generator", sees), "content": _Content(self.weight)})
        return [
            Player(
                f"{path}-discriminator",
                (f"{path}.discriminator",),
                Terms(losses, "discriminator", sees),
                role="discriminator",
            ),
            Player(path, (f"{path}.network",), refine, role="generator"),
        ]

    def values(self, path: str, stage: Stage) -> Mapping[str, Callable[[Step], Tensor]]:
        """`refined`, computed by φ alone, so that it is a constant for this part's own discriminator."""

        def refined(step: Step) -> Tensor:
            images: Tensor = step.use(f"{path}.network")(step["fake"])
            return images

        return {"refined": refined}


class _Content:
    """λ ‖φ(x̂) - x̂‖₁, the mean over pixels; no gradient flows to the x̂ that φ(x̂) is compared with."""

    def __init__(self, weight: float) -> None:
        self.weight = weight

    def __call__(self, step: Step) -> Mapping[str, Tensor]:
        return {"l1": step.log("l1", (step["refined"] - step["fake"].detach()).abs().mean(), self.weight)}

    def __str__(self) -> str:
        return f"{self.weight}·l1"


def _adversarial(spec: str) -> Loss:
    loss = construct("loss", spec)
    if not (loss.adversarial and loss.speaks_to("discriminator") and loss.speaks_to("generator")):
        raise FitError(
            f"loss '{spec}' is not a game between a discriminator and a generator",
            "use --refiner denoiser:loss=nonsaturating",
        )
    return loss


class HourGlass(nn.Module):
    """Downsamples images to one pixel and upsamples them again.

    Args:
        image_shape: (channels, height, width).
        width: channels after the first halving; they double up to eight times that.
        skips: whether to add skip connections.
        dropout: dropout probability in the first three upsampling layers.
    """

    def __init__(self, image_shape: ImageShape, width: int, skips: bool, dropout: float) -> None:
        super().__init__()
        self.skips = skips
        sizes = halve_until(image_shape[1:], 1)
        widths = [width * min(2**depth, LARGEST_GROWTH) for depth in range(len(sizes) - 1)]
        self.down, self.up = nn.ModuleList(), nn.ModuleList()
        channels, last = image_shape[0], len(widths) - 1
        for depth, (source, wide) in enumerate(zip(sizes[:-1], widths, strict=True)):
            normalized = 0 < depth < last
            self.down.append(
                nn.Sequential(
                    downsampler(channels, wide, source, KERNEL, bias=not normalized),
                    nn.BatchNorm2d(wide) if normalized else nn.Identity(),
                    nn.LeakyReLU(0.2 if depth < last else 0.0, inplace=True),
                )
            )
            channels = wide
        for depth, (source, target) in enumerate(zip(sizes[:0:-1], sizes[-2::-1], strict=True)):
            given = channels * (2 if skips and depth else 1)
            if depth == last:
                self.up.append(
                    nn.Sequential(upsampler(given, image_shape[0], source, target, KERNEL), output_activation("tanh"))
                )
                break
            channels = widths[last - 1 - depth]
            self.up.append(
                nn.Sequential(
                    upsampler(given, channels, source, target, KERNEL, bias=False),
                    nn.BatchNorm2d(channels),
                    nn.Dropout(dropout if depth < DROPPED_BLOCKS else 0.0),
                    nn.ReLU(inplace=True),
                )
            )

    def forward(self, images: Tensor) -> Tensor:
        maps = [images]
        for block in self.down:
            maps.append(block(maps[-1]))
        x = maps.pop()
        for depth, block in enumerate(self.up):
            x = block(torch.cat([x, maps.pop()], dim=1) if self.skips and depth else x)
        return x
