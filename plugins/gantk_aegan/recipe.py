"""AEGAN's schedule: train an autoencoder, play a game on its embeddings, and fine-tune everything together."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar

import torch
from torch import Tensor

from gantk import Binding, Generator, Joined, Loss, Model, Player, SharedPlay, Stage, Step, Terms, Verdict
from gantk.data import to_float
from gantk.errors import FitError
from gantk.nn import evaluating
from gantk.parts import ImageShape
from gantk.recipe import Recipe

__all__ = ["EmbeddingGame"]

BATCH = 16
ROLE = "generator"
FITTING = {"optimizer": "adam", "lr": 1e-5, "betas": [0.9, 0.999]}
TUNING = {"optimizer": "adam", "lr": 1e-7, "betas": [0.9, 0.999]}

AUTOENCODER = ("generator.encoder", "generator.decoder")
EMBEDDINGS = Binding(generator="generator.embedding", real="embedding", fake="fake_embedding")
"""The binding through which losses see embeddings."""


class EmbeddingGame(Recipe):
    """AEGAN's schedule: train an autoencoder; a game on its embeddings, which a refiner can join; fine-tuning.

    It works with any generator that has modules `encoder`, `embedding` and `decoder`, any noise source, any adversarial
    loss and any added losses; the losses receive embeddings instead of images.

    Args:
        fine_tune: whether to add the last stage, which trains everything on the sum of all objectives, the refiner's
            included; the paper calls it optional.
    """

    paper = "Guo et al. 2019, arXiv:1903.11250, Algorithm 1"
    defaults: ClassVar[Mapping[str, Any]] = {
        "noise": "uniform:dim=100",
        "generator": "aegan",
        "discriminator": "aegan",
        "loss": ["nonsaturating"],
    }

    def __init__(self, *, fine_tune: bool = True) -> None:
        self.fine_tune = fine_tune

    def judged_shape(self, generator: Generator) -> ImageShape:
        """Shape of an embedding."""
        missing = [name for name in ("encoder", "embedding", "decoder") if not hasattr(generator, name)]
        shape: ImageShape | None = getattr(generator, "embedding_shape", None)
        if missing or shape is None:
            raise FitError(
                f"generator {type(generator).__name__} has no {', '.join(missing or ['embedding_shape'])}, which this "
                "recipe needs for its game on embeddings",
                "use --generator aegan, or another recipe",
            )
        return shape

    def judged(self, model: Model, images: Tensor) -> Tensor:
        """The embeddings of the images."""
        return _part(model.generator, "encoder")(images)

    def stages(self, model: Model) -> Sequence[Stage]:
        """`autoencode`, `game` and, optionally, `fine-tune`."""
        stages = [_autoencode(), _game(model)]
        return [*stages, _fine_tune(model)] if self.fine_tune else stages


def _autoencode() -> Stage:
    player = Player("autoencoder", AUTOENCODER, _Reconstruction(), optimizer=dict(FITTING))
    return Stage("autoencode", [player], length="100 epochs", batch_size=BATCH, values=VALUES, preview=_reconstructed)


def _game(model: Model) -> Stage:
    players = [
        Player("discriminator", ("discriminator",), Terms(model.losses, "discriminator", EMBEDDINGS)),
        Player(
            "generator", ("generator.embedding", "noise?", "condition?"), Terms(model.losses, "generator", EMBEDDINGS)
        ),
    ]
    return Stage("game", players, length="200 epochs", batch_size=BATCH, adversarial=True, values=VALUES)


def _fine_tune(model: Model) -> Stage:
    """First the discriminators, each in its own game; then everything else, on the sum of all objectives."""
    joining = Stage("fine-tune", [], adversarial=True)
    joined = list(model.refiner.players("refiner", joining)) if model.refiner is not None else []
    brought = model.refiner.values("refiner", joining) if model.refiner is not None else {}
    judges = [player for player in joined if player.role == "discriminator"]
    refiners = [player for player in joined if player.role != "discriminator"]
    adversarial = [(name, loss) for name, loss in model.losses if loss.adversarial]
    objective = Joined(
        {
            "autoencoder": _Reconstruction(),
            "embedding": Terms(model.losses, "generator", EMBEDDINGS),
            "encoder": _Disguise(adversarial),
            **{player.name: player.objective for player in refiners},
        }
    )
    moved = ("generator", "noise?", "condition?", *(path for player in refiners for path in player.moves))
    players = [
        Player("discriminator", ("discriminator",), Terms(model.losses, "discriminator", EMBEDDINGS)),
        *judges,
        Player("generator", moved, objective),
    ]
    for player in players:
        player.optimizer = dict(TUNING)
    return Stage("fine-tune", players, length="100 epochs", batch_size=BATCH, values={**brought, **VALUES})


class _Reconstruction:
    """‖F(H(x)) - x‖₁, the mean over pixels."""

    def __call__(self, step: Step) -> Mapping[str, Tensor]:
        return {"l1": (step["reconstruction"] - step["real"]).abs().mean()}

    def __str__(self) -> str:
        return "l1"


class _Negated(SharedPlay):
    """A play with real and generated swapped: the data is judged in place of generated images, with negated logits."""

    def judge(self, images: Tensor) -> Verdict:
        logits = super().judge(images).logits
        return Verdict(logits=None if logits is None else -logits)


class _Disguise:
    """The encoder's term of the game, E log D(H(x)) in the paper, which the encoder minimizes and D maximizes.

    It is the adversarial loss's generator term on real embeddings with negated logits: for logits l, minimax's
    E log(1 - σ(-l)) is E log σ(l), the non-saturating game's -E log σ(-l) is -E log(1 - σ(l)), and Wasserstein's
    is E l.

    Args:
        losses: the game's adversarial loss, with its name.
    """

    def __init__(self, losses: Sequence[tuple[str, Loss]]) -> None:
        self.losses = [(name, loss) for name, loss in losses if loss.speaks_to(ROLE)]

    def __call__(self, step: Step) -> Mapping[str, Tensor]:
        play = _Negated(step, replace(EMBEDDINGS, real="fake_embedding", fake="embedding"))
        found = {name: (getattr(loss, ROLE)(play.speaking(name)), loss.weight) for name, loss in self.losses}
        return {name: step.log(name, term, weight) for name, (term, weight) in found.items()}

    def __str__(self) -> str:
        return " + ".join(f"{name} of the encoder" for name, _ in self.losses)


def _part(generator: Generator, name: str) -> Callable[[Tensor], Tensor]:
    return generator.get_submodule(name)


def _embedding(step: Step) -> Tensor:
    embedding: Tensor = step.use("generator.encoder")(step["real"])
    return embedding


def _reconstruction(step: Step) -> Tensor:
    images: Tensor = step.use("generator.decoder")(step["embedding"])
    return images


def _fake_embedding(step: Step) -> Tensor:
    embedding: Tensor = step.use("generator.embedding")(step["noise"])
    return embedding


def _fake(step: Step) -> Tensor:
    images: Tensor = step.use("generator.decoder")(step["fake_embedding"])
    return images


VALUES = {
    "embedding": _embedding,
    "reconstruction": _reconstruction,
    "fake_embedding": _fake_embedding,
    "fake": _fake,
}


@torch.no_grad()
def _reconstructed(model: Model, n: int, rng: torch.Generator) -> Tensor:
    """Images of the data set, each followed by its reconstruction."""
    if model.built.data is None:
        return model.sample(n, rng)
    count = min(-(-n // 2), len(model.built.data))
    images = to_float(model.built.data.images(range(count))).to(model.device)
    with evaluating(model):
        rebuilt = _part(model.generator, "decoder")(_part(model.generator, "encoder")(images))
    return torch.stack([images, rebuilt], dim=1).flatten(0, 1)[:n]
