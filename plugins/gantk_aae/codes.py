"""What an adversarial autoencoder compares with its prior: codes, as images of one pixel."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from gantk import Generator, Step
from gantk.errors import FitError
from gantk.nn import evaluating, on_sphere
from gantk.parts import ImageShape

__all__ = ["Reconstruction", "as_images", "code_shape", "halves", "placed", "seen"]


def halves(generator: Generator) -> tuple[str, str]:
    """The paths of a generator's encoder and decoder in a model, for players to move.

    Raises:
        FitError: it has no encoder, or none that players could move apart from the decoder.
    """
    pair = {"encoder", "decoder"}
    if "posterior" in generator.provides:
        for name, module in generator.named_modules():
            if pair <= dict(module.named_children()).keys():
                path = f"generator.{name}" if name else "generator"
                return f"{path}.encoder", f"{path}.decoder"
    raise FitError(
        "this recipe fits an autoencoder with modules `encoder` and `decoder`, which "
        f"{type(generator).__name__} does not have",
        "use --generator aae or vae",
    )


def placed(generator: Generator, noise: Tensor) -> Tensor:
    """The codes that noise, or what the encoder returns, stands for: where the prior and the codes are compared."""
    place: Callable[[Tensor], Tensor] | None = getattr(generator, "place", None)
    if place is not None:
        return place(noise)
    return on_sphere(noise) if "sphere" in generator.provides else noise


def as_images(codes: Tensor) -> Tensor:
    """Codes `[N, dim]` as images `[N, dim, 1, 1]`."""
    return codes[:, :, None, None]


def code_shape(generator: Generator) -> ImageShape:
    """The shape of codes as images, without the condition."""
    halves(generator)
    with evaluating(generator), torch.no_grad():
        code = generator.encode(torch.zeros(1, *generator.image_shape)).mean
    return (code.shape[1] - generator.condition_dim, 1, 1)


def seen(deviation: float) -> Callable[[Step], Tensor]:
    """A value: the real images with Gaussian noise of this standard deviation, as the encoder sees them."""

    def noisy(step: Step) -> Tensor:
        real: Tensor = step["real"]
        return real + deviation * torch.randn_like(real) if deviation else real

    return noisy


class Reconstruction:
    """½‖x - G(z)‖² per image, z being the code of x: half the Euclidean error, summed over pixels."""

    def __call__(self, step: Step) -> Mapping[str, Tensor]:
        decoded = step.use("generator", Generator)(step["latent"])
        squares = (decoded.float() - step["real"]).square().flatten(1).sum(dim=1)
        return {"reconstruction": 0.5 * squares.mean()}

    def __str__(self) -> str:
        return "reconstruction"
