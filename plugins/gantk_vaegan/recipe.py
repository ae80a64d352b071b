"""VAE/GAN's schedule: a game whose generator is an autoencoder's decoder."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

from torch import Tensor

from gantk import Binding, Generator, Joined, Player, Posterior, Stage, Step, Terms
from gantk.errors import FitError
from gantk.model import Model
from gantk.nn import divergence_from_normal
from gantk.recipe import Recipe

Value = Callable[[Step], Any]

__all__ = ["EncodedGame"]

RMSPROP: Mapping[str, Any] = {"optimizer": "rmsprop", "lr": 3e-4}
AGAIN = Binding(fake="again")
"""The game on reconstructions."""


class EncodedGame(Recipe):
    """A game whose generator is an autoencoder's decoder: it decodes noise, and the codes of real images.

    The discriminator judges both kinds of images. The encoder minimizes the divergence of its posterior from N(0, I)
    and the losses with a term for an encoder; the decoder minimizes the adversarial loss on both kinds of images, those
    same losses, and all others. It works with generators that have modules `encoder` and `decoder`.
    """

    paper = "Larsen et al. 2016, arXiv:1512.09300, Algorithm 1"
    optional: ClassVar[tuple[str, ...]] = ("refiner",)
    defaults: ClassVar[Mapping[str, Any]] = {
        "noise": "gaussian:dim=128",
        "generator": "vaegan",
        "discriminator": "vaegan",
        "loss": ["nonsaturating", "learned-similarity"],
    }

    def stages(self, model: Model) -> Sequence[Stage]:
        """One stage, `game`: the discriminator's turn, the encoder's, then the decoder's."""
        halves = {"encoder", "decoder"} <= dict(model.generator.named_children()).keys()
        if not halves or "posterior" not in model.generator.provides:
            raise FitError(
                f"this recipe trains an encoder and a decoder, and {type(model.generator).__name__} does not have both",
                "use --generator vaegan or vae",
            )
        adversarial = [(name, loss) for name, loss in model.losses if loss.adversarial]
        similar = [(name, loss) for name, loss in model.losses if loss.speaks_to("encoder")]
        others = [named for named in model.losses if named not in similar]
        judged = {"drawn": Terms(others, "discriminator"), "again": Terms(adversarial, "discriminator", AGAIN)}
        encoded: dict[str, Any] = {"prior": _Divergence(), **_said({"again": Terms(similar, "encoder", AGAIN)})}
        fooled = {"drawn": Terms(others, "generator"), "again": Terms([*adversarial, *similar], "generator", AGAIN)}
        players = [
            Player("discriminator", ("discriminator",), Joined(judged), optimizer=dict(RMSPROP)),
            Player("encoder", ("generator.encoder",), Joined(encoded), optimizer=dict(RMSPROP)),
            Player("generator", ("generator.decoder", "noise?"), Joined(fooled), optimizer=dict(RMSPROP)),
        ]
        values = {"posterior": _posterior(model.generator), "again": _again, "fake": _drawn}
        return [Stage("game", players, batch_size=64, adversarial=True, values=values)]


class _Divergence:
    """KL(q(z|x) ‖ N(0, I)), summed over the code's dimensions and averaged over the batch."""

    def __call__(self, step: Step) -> Mapping[str, Tensor]:
        divergence = divergence_from_normal(*step["posterior"]).sum(dim=1).mean()
        return {"kl": step.log("kl", divergence)}

    def __str__(self) -> str:
        return "kl"


def _said(objectives: Mapping[str, Terms]) -> dict[str, Terms]:
    """Those of these objectives that have terms."""
    return {name: terms for name, terms in objectives.items() if terms.losses}


def _posterior(generator: Generator) -> Value:
    def posterior(step: Step) -> tuple[Tensor, Tensor]:
        step.use("generator.encoder")  # and nothing else of the generator, which the decoder's player moves
        found = generator.encode(step["real"])
        return found.mean, found.log_variance

    return posterior


def _again(step: Step) -> Tensor:
    images: Tensor = step.use("generator.decoder")(Posterior(*step["posterior"]).sample())
    return images


def _drawn(step: Step) -> Tensor:
    images: Tensor = step.use("generator.decoder")(step["noise"])
    return images
