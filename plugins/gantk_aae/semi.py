"""The semi-supervised adversarial autoencoder: codes hold a class and a style, and some labels are known."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, softmax

from gantk import Binding, Condition, Generator, Joined, Player, Stage, Step, Terms, require
from gantk.errors import FitError
from gantk.model import Model
from gantk.parts import ImageShape
from gantk.recipe import Recipe
from gantk_aae.codes import Reconstruction, as_images, code_shape, halves, seen
from gantk_aae.labeled import Labeled

__all__ = ["SemiSupervisedAutoencoder"]

STYLE = Binding(discriminator="discriminator.style", real="style-prior", fake="style")
LABEL = Binding(discriminator="discriminator.label", real="label-prior", fake="label")


class SemiSupervisedAutoencoder(Recipe):
    """An adversarial autoencoder whose codes hold a style and a class, and which is told some images' classes.

    The encoder's last outputs, one for each class, are logits. In each step the autoencoder takes a turn, then a
    discriminator that compares styles with the noise, one that compares classes with drawn ones, the encoder against
    both, and the encoder on images with labels.

    Args:
        labels: number of images whose labels are used, at least 1; the same number of each class, chosen at random.
        image_noise: standard deviation of Gaussian noise on the images that the encoder sees in training, whose pixels
            are in [-1, 1]; 0 for none.
    """

    paper = "Makhzani et al. 2016, arXiv:1511.05644, section 5"
    slots: ClassVar[tuple[str, ...]] = ("noise", "generator", "discriminator", "condition")
    optional: ClassVar[tuple[str, ...]] = ("refiner",)
    defaults: ClassVar[Mapping[str, Any]] = {
        "noise": "gaussian:dim=10",
        "generator": "aae",
        "discriminator": "code-pair",
        "condition": "class",
        "loss": ["nonsaturating"],
    }

    def __init__(self, *, labels: int = 1000, image_noise: float = 0.0) -> None:
        require(labels >= 1, f"labels must be at least 1, not {labels}.")
        require(0 <= image_noise < math.inf, f"image_noise must be 0 or more and finite, not {image_noise}.")
        self.labels = labels
        self.image_noise = image_noise

    def judged_shape(self, generator: Generator) -> ImageShape:
        """Shape of a style and a class."""
        return (code_shape(generator)[0] + generator.condition_dim, 1, 1)

    def judged(self, model: Model, images: Tensor) -> Tensor:
        """The styles and the probabilities of the classes of images."""
        style, logits = _split(model, model.generator.encode(images).mean)
        return as_images(torch.cat([style, softmax(logits, dim=1)], dim=1))

    def classes(self, model: Model, images: Tensor) -> Tensor:
        """The class `[N]` that the encoder assigns to each image."""
        return _split(model, model.generator.encode(images).mean)[1].argmax(dim=1)

    def stages(self, model: Model) -> Sequence[Stage]:
        """One stage, `fit`, with five players."""
        encoder, decoder = halves(model.generator)
        if hasattr(model.generator, "place"):
            raise FitError("this recipe's classes are a part of the codes, not of their prior", "use --generator aae")
        if not hasattr(model.discriminator, "style") or not hasattr(model.discriminator, "label"):
            raise FitError("this recipe compares styles and classes, each apart", "use --discriminator code-pair")
        judges = {"style": STYLE, "label": LABEL}
        players = [
            Player("autoencoder", (encoder, decoder), Reconstruction()),
            *(
                Player(
                    f"{name}-discriminator",
                    (game.discriminator,),
                    Terms(model.losses, "discriminator", game),
                    role="discriminator",
                )
                for name, game in judges.items()
            ),
            Player(
                "encoder",
                (encoder,),
                Joined({name: Terms(model.losses, "generator", game) for name, game in judges.items()}),
                role="generator",
            ),
            Player("classifier", (encoder,), _Classification()),
        ]
        return [Stage("fit", players, batch_size=100, adversarial=True, values=self._values(model))]

    def _values(self, model: Model) -> dict[str, Any]:
        seed = model.built.spec["seed"] if model.is_built else 0
        known = Labeled(self.labels, seed)

        def labeled(step: Step) -> tuple[Tensor, Tensor]:
            data = model.built.data
            if data is None:
                raise FitError("this recipe reads labels of its data, and this model was loaded without data")
            images, labels = known.draw(data, step.size, step["real"].device)
            return images + self.image_noise * torch.randn_like(images), labels

        def code(step: Step) -> tuple[Tensor, Tensor]:
            style, logits = _split(model, step.use("generator", Generator).encode(step["seen"]).sample())
            return style, softmax(logits.float(), dim=1).to(style.dtype)

        return {
            "seen": seen(self.image_noise),
            "condition": _drawn,
            "code": code,
            "style": lambda step: as_images(step["code"][0]),
            "label": lambda step: as_images(step["code"][1]),
            "style-prior": lambda step: as_images(step["noise"][:, : model.noise.dim]),
            "label-prior": lambda step: as_images(step["condition"]),
            "latent": lambda step: torch.cat(step["code"], dim=1),
            "labeled": labeled,
            "logits": lambda step: _split(model, step.use("generator", Generator).encode(step["labeled"][0]).mean)[1],
        }


class _Classification:
    """Cross entropy of the classes of images with labels."""

    def __call__(self, step: Step) -> Mapping[str, Tensor]:
        return {"cross-entropy": cross_entropy(step["logits"].float(), step["labeled"][1])}

    def __str__(self) -> str:
        return "cross-entropy"


def _split(model: Model, codes: Tensor) -> tuple[Tensor, Tensor]:
    """The style and the logits of the classes."""
    return codes[:, : model.noise.dim], codes[:, model.noise.dim :]


def _drawn(step: Step) -> Tensor:
    """Classes drawn from the data's distribution: those of a batch are not known."""
    condition = step.use("condition", Condition)
    rng = torch.Generator(step["real"].device).manual_seed(int(torch.randint(2**62, ())))
    return condition.draw(step.size, rng)
