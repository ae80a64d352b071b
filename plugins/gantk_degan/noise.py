"""Decoder-encoder output noise: Gaussian noise passed through a pre-trained autoencoder."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from gantk import Binding, Generator, Loss, NoiseSource, Player, Posterior, Stage, Terms, require
from gantk.construct import construct
from gantk.errors import FitError
from gantk.nn import evaluating
from gantk.options import parse_part
from gantk.parts import ImageShape

__all__ = ["DecoderEncoder"]

PRIOR = "normal"
"""What its autoencoder is sampled from."""
POSTERIOR_MEANS = "distributed as an encoder's means, which vary in few coordinates"


class DecoderEncoder(NoiseSource):
    """DE-GAN's noise: z from N(0, I), decoded to an image by an autoencoder and encoded again.

    It adds a stage `pretrain`, which pre-trains the autoencoder; in all later stages the autoencoder is frozen. Noise
    is always drawn with the autoencoder in evaluation mode (running statistics, no dropout).

    Args:
        dim: dimension of the noise, at least 1; the paper's 128 is about ten times its data's intrinsic dimension.
        sample: whether to sample from the encoder's posterior, as the paper does, or to use its mean.
        autoencoder: generator plugin, with options, that provides a posterior, such as vae:output=sigmoid.
        loss: loss plugin, with options, that pre-trains the autoencoder.
    """

    paper = "Zhong et al. 2018, arXiv:1807.03923, Section II.A and Algorithm 1"

    def __init__(
        self,
        image_shape: ImageShape,
        *,
        dim: int = 128,
        sample: bool = True,
        autoencoder: str = "gantk:vae",
        loss: str = "gantk:vae",
    ) -> None:
        super().__init__()
        require(dim >= 1, f"dim must be at least 1, not {dim}.")
        self.dim = dim
        self.draws_posterior = sample
        if not sample:
            self.distribution = POSTERIOR_MEANS  # those of a draw are nearly N(0, 1), coordinate by coordinate
        self.autoencoder: Generator = construct("generator", autoencoder, image_shape=image_shape, noise_dim=dim)
        if "posterior" not in self.autoencoder.provides:
            raise FitError(
                f"generator '{autoencoder}' has no encoder (it does not provide 'posterior')",
                "use --noise de:autoencoder=vae",
            )
        self.pretrain_loss = _pretraining_loss(loss)
        self.pretrain_loss_name = parse_part(loss)[0].rpartition(":")[2]

    @torch.no_grad()
    def sample(self, n: int, rng: torch.Generator | None = None) -> Tensor:
        z = self.draw_normal(n, self.dim, rng=rng)
        with evaluating(self.autoencoder):
            posterior: Posterior = self.autoencoder.encode(self.autoencoder(z))
        if not self.draws_posterior:
            return posterior.mean
        return posterior.sample(self.draw_normal(n, self.dim, rng=rng))

    def stages(self, path: str) -> Sequence[Stage]:
        where = f"{path}.autoencoder"
        objective = Terms([(self.pretrain_loss_name, self.pretrain_loss)], "autoencoder", Binding(autoencoder=where))
        player = Player(
            "autoencoder",
            moves=(where,),
            objective=objective,
            optimizer={"optimizer": "adam", "lr": 1e-3, "betas": [0.9, 0.999]},
        )

        def preview(model: nn.Module, n: int, rng: torch.Generator) -> Tensor:
            return self.decode_normal(n, rng)

        return [Stage("pretrain", [player], length="10 epochs", batch_size=128, preview=preview)]

    @torch.no_grad()
    def decode_normal(self, n: int, rng: torch.Generator | None = None) -> Tensor:
        """Decode standard normal noise to images, which shows what the autoencoder has learned so far."""
        with evaluating(self.autoencoder):
            images: Tensor = self.autoencoder(self.draw_normal(n, self.dim, rng=rng))
        return images


def _pretraining_loss(spec: str) -> Loss:
    loss: Loss = construct("loss", spec)
    if "autoencoder" not in loss.roles():
        roles = ", ".join(loss.roles()) or "no role"
        raise FitError(
            f"loss '{spec}' does not train an autoencoder (it has terms for: {roles})", "use --noise de:loss=vae"
        )
    if loss.prior and PRIOR not in loss.prior:
        raise FitError(
            f"loss '{spec}' assumes {loss.prior[0]} noise, but this one decodes standard normal noise",
            "use --noise de:loss=vae",
        )
    return loss
