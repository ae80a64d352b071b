"""The variants of bench/degan_flagship.py: networks, losses, noise and learning rates."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import degan_losses  # noqa: F401  (registers the loss `degan-reading`)

GENERATOR = "degan:fc=1024,widths=[128],closing_conv=false"
DISCRIMINATOR = "degan:widths=[11,74],fc=1024"
NOISE = {
    "de": "de:dim=128,autoencoder='gantk:vae:output=sigmoid',loss='gantk:vae:reconstruction=bce'",
    "gaussian": "gaussian:dim=128",
}
NONSATURATING, MINIMAX = "nonsaturating", "minimax"


def hidden(players: str, weight: float, layer: int = -1) -> str:
    """The hidden-space loss as it is written on the command line."""
    return f"hidden:players={players},weight={weight}" + (f",layer={layer}" if layer != -1 else "")


@dataclass(frozen=True)
class Variant:
    """One game on the networks of Table II (MNIST), with batches of 128 and Adam, β₁ 0.5.

    Args:
        losses: the adversarial loss, and the hidden-space loss where there is one.
        noise: `de` or `gaussian`, 128 numbers of it.
        lr: both players' learning rate.
        vae: epochs of the autoencoder, where the noise has one.
        drawn: whether its noise is drawn from the posterior, or else the posterior's mean.
        output: what bounds the generator's images; real digits are in [-1, 1] always.
        norm: the discriminator's normalization; with batch, real and generated images are normalized apart.
    """

    losses: tuple[str, ...]
    noise: str = "de"
    lr: float = 1e-3
    vae: int = 2
    drawn: bool = False
    output: str = "sigmoid"
    norm: str = "batch"

    def __str__(self) -> str:
        """What a table says of it: `DE, means, nonsaturating, rate 0.001`, and what else is not the preset's."""
        noise = {"gaussian": "Gaussian", "de": "DE, drawn" if self.drawn else "DE, means"}[self.noise]
        words = [noise, *self.losses, f"rate {self.lr:g}"]
        words += [f"autoencoder {self.vae} epochs"] * (self.noise == "de" and self.vae != Variant.vae)
        words += [f"output {self.output}"] * (self.output != Variant.output)
        words += [f"norm {self.norm}"] * (self.norm != Variant.norm)
        return ", ".join(words)

    def build(self) -> dict[str, Any]:
        """The arguments of `gantk.build`, but for data and seed."""
        settings: dict[str, Any] = {f"stages.game.{player}.lr": self.lr for player in ("discriminator", "generator")}
        if self.noise == "de":
            settings["stages.pretrain.length"] = f"{self.vae} epochs"
        return {
            "recipe": "dcgan",
            "noise": NOISE[self.noise] + ",sample=false" * (self.noise == "de" and not self.drawn),
            "generator": f"{GENERATOR},output={self.output}",
            "discriminator": f"{DISCRIMINATOR},norm={self.norm}",
            "loss": list(self.losses),
            "settings": settings,
        }


CHOSEN = (NONSATURATING, hidden("both", 0.0001))
VARIANTS: dict[str, Variant] = {
    "degan-mnist": Variant(CHOSEN, drawn=True),
    "dcgan": Variant((NONSATURATING,), noise="gaussian"),
    "before": Variant((MINIMAX, hidden("both", 0.1)), lr=2e-4, drawn=True),
    "before-gaussian": Variant((MINIMAX, hidden("both", 0.1)), lr=2e-4, noise="gaussian"),
    "before-generator-only": Variant((MINIMAX, hidden("generator", 0.1)), lr=2e-4, drawn=True),
    "before-nonsaturating": Variant((NONSATURATING, hidden("both", 0.1)), lr=2e-4, drawn=True),
    "before-weight-0.001": Variant((MINIMAX, hidden("both", 0.001)), lr=2e-4, drawn=True),
    "before-first-map": Variant((MINIMAX, hidden("both", 0.1, layer=0)), lr=2e-4, drawn=True),
    "before-layer-norm": Variant((MINIMAX, hidden("both", 0.1)), lr=2e-4, norm="layer", drawn=True),
    "before-squared": Variant(("degan-reading:weight=0.1,squared=true",), lr=2e-4, drawn=True),
    "before-squared-small": Variant(("degan-reading:weight=0.0001,squared=true",), lr=2e-4, drawn=True),
    "before-one-batch": Variant(("degan-reading:weight=0.1,one_batch=true",), lr=2e-4, drawn=True),
    "before-means": Variant((MINIMAX, hidden("both", 0.1)), lr=2e-4),
    "before-tanh": Variant((MINIMAX, hidden("both", 0.1)), lr=2e-4, output="tanh", drawn=True),
    "before-vae-10": Variant((MINIMAX, hidden("both", 0.1)), lr=2e-4, vae=10, drawn=True),
    "before-without-hidden": Variant((MINIMAX,), lr=2e-4, drawn=True),
    "before-rate-0.001": Variant((MINIMAX, hidden("both", 0.1)), drawn=True),
    "dcgan-rate-0.0002": Variant((NONSATURATING,), noise="gaussian", lr=2e-4),
    "dcgan-minimax": Variant((MINIMAX,), noise="gaussian"),
    "means": Variant(CHOSEN),
    "weight-0.001": Variant((NONSATURATING, hidden("both", 0.001)), drawn=True),
    "means-weight-0.001": Variant((NONSATURATING, hidden("both", 0.001))),
    "without-hidden": Variant((NONSATURATING,), drawn=True),
    "without-de": Variant(CHOSEN, noise="gaussian"),
    "minimax": Variant((MINIMAX, hidden("both", 0.0001)), drawn=True),
    "means-generator-0.001": Variant((NONSATURATING, hidden("generator", 0.001))),
    "generator-0.01": Variant((NONSATURATING, hidden("generator", 0.01)), drawn=True),
    "generator-0.1": Variant((NONSATURATING, hidden("generator", 0.1)), drawn=True),
    "both-0.01": Variant((NONSATURATING, hidden("both", 0.01)), drawn=True),
    "both-0.1": Variant((NONSATURATING, hidden("both", 0.1)), drawn=True),
    "first-map": Variant((NONSATURATING, hidden("both", 0.0001, layer=0)), drawn=True),
    "rate-0.0002": Variant(CHOSEN, lr=2e-4, drawn=True),
    "vae-10": Variant(CHOSEN, vae=10, drawn=True),
    "tanh": Variant(CHOSEN, output="tanh", drawn=True),
    "layer-norm": Variant(CHOSEN, norm="layer", drawn=True),
}
"""`degan-mnist` is that preset, `before` is what it was. The others differ from one of these two, or from `dcgan`,
in what their names say."""
