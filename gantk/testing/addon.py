"""The contract of addons: parts that are added to games, such as augmentations."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor

from gantk.parts import ImageShape, Part
from gantk.schedule import Play
from gantk.testing.base import PartContract
from gantk.testing.states import check_states
from gantk.testing.toys import ToyDiscriminator, ToyGenerator

__all__ = ["AddonContract"]


class AddonContract(PartContract):
    """Tests what users of a part that is added to games with `--with` rely on.

    The part is tested in a game of toy networks, halfway through its stage. Override `_play` if the part reads more
    than that.
    """

    kind = "addon"
    image_shape: ClassVar[ImageShape] = (2, 8, 6)
    noise_dim: ClassVar[int] = 5
    class_count: ClassVar[int] = 3

    def _part(self) -> Part:
        part: Part = self._make(image_shape=self.image_shape, noise_dim=self.noise_dim, class_count=self.class_count)
        return part

    def _images(self) -> Tensor:
        return torch.rand(6, *self.image_shape, generator=torch.Generator().manual_seed(1)) * 2 - 1

    def _play(self, part: Part) -> Play:
        shown = part.shown_shape(self.image_shape)
        generator = ToyGenerator(self.image_shape, self.noise_dim)
        noise = torch.randn(6, self.noise_dim)

        class _Shown(Play):
            def shown(self, images: Tensor) -> Tensor:
                return part.transform(images, self)

        return _Shown(
            ToyDiscriminator(frozenset({"logits"}), shown),
            real=self._images(),
            fake=generator(noise),
            noise=noise,
            generator=generator,
            labels=torch.arange(6) % self.class_count,
            state={name: torch.tensor(float(value)) for name, value in part.state.items()},
            step=5,
            done=0.5,
        )

    def test_shows_what_it_says(self) -> None:
        part = self._part()
        shown = part.shown_shape(self.image_shape)
        found = part.transform(self._images(), self._play(part))
        assert found.shape == (6, *shown), (
            f"transform returned {list(found.shape)} for {[6, *self.image_shape]}; expected {[6, *shown]}, as "
            "shown_shape says: one row for each image, in the same order."
        )
        assert torch.isfinite(found).all(), "transform returned NaN or infinite numbers."

    def test_gradients_reach_the_images(self) -> None:
        part, images = self._part(), self._images().requires_grad_()
        found = part.transform(images, self._play(part))
        assert found.requires_grad, (
            "the result of transform has no gradient, so the generator cannot learn; compute it from the images."
        )

    def test_leaves_the_images_alone(self) -> None:
        part, images = self._part(), self._images()
        part.transform(images, self._play(part))
        assert torch.equal(images, self._images()), "transform changed its input in place; return a new tensor."

    def test_terms_are_scalars(self) -> None:
        part = self._part()
        for role in part.roles():
            term = getattr(part, role)(self._play(part))
            assert term is None or (isinstance(term, Tensor) and term.shape == ()), (
                f"{role} returned {term!r:.60}; expected a scalar tensor or None: average over the batch."
            )

    def test_remembers_what_it_declares(self) -> None:
        part = self._part()
        check_states(part, self._play(part))
