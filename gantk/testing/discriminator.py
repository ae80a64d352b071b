"""The contract of discriminators."""

from __future__ import annotations

from typing import Any, cast

import pytest
import torch
from torch import Tensor
from torch.nn.functional import one_hot

from gantk.nn.modes import unchanged
from gantk.parts import Discriminator, ImageShape, Verdict
from gantk.testing.base import ShapedContract, close

__all__ = ["DiscriminatorContract"]

FIELDS = ("logits", "hidden", "code", "classes")


def _tensors(verdict: Verdict) -> dict[str, Tensor]:
    """Every tensor of a verdict, by name."""
    single = {name: getattr(verdict, name) for name in ("logits", "code", "classes")}
    maps = {f"hidden[{i}]": h for i, h in enumerate(verdict.hidden or ())}
    return {name: value for name, value in {**single, **maps}.items() if value is not None}


def _total(verdict: Verdict) -> Tensor:
    """A scalar that depends on everything in a verdict."""
    return torch.stack([value.float().square().mean() for value in _tensors(verdict).values()]).sum()


class DiscriminatorContract(ShapedContract):
    """Tests what users of a `gantk.Discriminator` rely on."""

    kind = "discriminator"

    def _judge(self, part: Discriminator, images: Tensor) -> Verdict:
        """The verdict on images; image i has condition i if the discriminator reads conditions."""
        if not part.reads_condition:
            return cast(Verdict, part(images))
        conditions = one_hot(torch.arange(len(images)) % self.condition_dim, self.condition_dim).float()
        return cast(Verdict, part(images, conditions))

    def _probe(self, part: Any, shape: ImageShape) -> dict[str, Tensor]:
        with torch.no_grad():
            return _tensors(self._judge(part, self._images(shape)))

    def test_verdict_holds_what_it_provides(self, shape: ImageShape) -> None:
        part = self._built(shape)
        self._check_verdict(part, self._judge(part, self._images(shape)))

    def _check_verdict(self, part: Discriminator, verdict: Verdict) -> None:
        assert isinstance(verdict, Verdict), f"forward returned a {type(verdict).__name__}; expected a gantk.Verdict."
        held = {name for name in FIELDS if getattr(verdict, name) is not None}
        assert held == part.provides & set(FIELDS), (
            f"the verdict contains {sorted(held)}, but `provides` is {sorted(part.provides)}; the two must agree, "
            "since losses are matched with discriminators by `provides`. Set the other fields to None."
        )
        known = [*FIELDS, "per-sample", "energy"]
        unknown = part.provides - {*known}
        assert not unknown, f"`provides` contains {sorted(unknown)}; expected some of {known}."
        if "energy" in part.provides:
            assert verdict.logits is not None, "`provides` contains 'energy', but the verdict has no logits."
            assert (verdict.logits <= 0).all(), (
                "a logit is positive; with 'energy' in `provides`, it is minus an energy."
            )
        expected = {"logits": (4,), "code": (4, self.noise_dim), "classes": (4, self.class_count)}
        for name, value in _tensors(verdict).items():
            wanted = expected.get(name, (4, *value.shape[1:]))
            assert value.shape == wanted, (
                f"{name} of 4 images has the shape {list(value.shape)}; expected {list(wanted)}."
            )
            assert value.dtype == torch.float32, f"{name} is {value.dtype}; expected float32."
            assert torch.isfinite(value).all(), f"{name} contains NaN or infinity."
        if verdict.hidden is not None:
            assert isinstance(verdict.hidden, tuple), "hidden must be a tuple of feature maps, with the deepest last."
            assert verdict.hidden, "hidden is empty; expected a tuple of at least one feature map, or None."

    def test_depends_on_the_image(self, shape: ImageShape) -> None:
        for name, value in _tensors(self._judge(self._built(shape), self._images(shape))).items():
            assert not torch.equal(value[0], value[1]), f"{name} is the same for two images; compute it from the image."

    def test_gradients_reach_the_images(self, shape: ImageShape) -> None:
        part, images = self._built(shape), self._images(shape).requires_grad_()
        for name, value in _tensors(self._judge(part, images)).items():
            assert value.requires_grad, f"{name} has no gradient; do not detach it or compute it under no_grad."
            (gradient,) = torch.autograd.grad(
                value.float().square().sum(), images, retain_graph=True, allow_unused=True
            )
            assert gradient is not None, f"no gradient of {name} reaches the images; do not detach them."
            assert torch.isfinite(gradient).all(), (
                f"the gradient of {name} with respect to the images is NaN or infinite."
            )
            assert gradient.any(), (
                f"the gradient of {name} with respect to the images is zero, so the generator cannot learn."
            )

    def _judged(self, part: Any, shape: ImageShape) -> list[Tensor]:
        """Batches that together use all parameters; override it for a discriminator of several resolutions."""
        return [self._images(shape)]

    def test_gradients_reach_every_parameter(self, shape: ImageShape) -> None:
        part = self._built(shape).train()
        totals = [_total(self._judge(part, images)) for images in self._judged(part, shape)]
        torch.autograd.backward(torch.stack(totals).sum())
        moved = {name: p.grad for name, p in part.named_parameters() if p.requires_grad}
        idle = [name for name, gradient in moved.items() if gradient is None]
        assert not idle, f"no gradient reaches {', '.join(idle)}; use these parameters or do not create them."
        wrong = [name for name, gradient in moved.items() if not torch.isfinite(gradient).all()]
        assert not wrong, f"the gradients of {', '.join(wrong)} are NaN or infinite."

    def test_evaluation_is_deterministic(self, shape: ImageShape) -> None:
        part, images = self._built(shape).eval(), self._images(shape)
        first = _tensors(self._judge(part, images))
        torch.manual_seed(99)
        for name, value in _tensors(self._judge(part, images)).items():
            assert torch.equal(value, first[name]), (
                f"in evaluation mode, {name} of the same images differs; use random numbers in training mode only."
            )

    def test_evaluation_looks_at_one_image_at_a_time(self, shape: ImageShape) -> None:
        part, images = self._built(shape).eval(), self._images(shape)
        self._compare_first(part, images, "in evaluation mode,", "use running statistics")

    def test_per_sample_is_true(self, shape: ImageShape) -> None:
        part = self._built(shape).train()
        if "per-sample" not in part.provides:
            pytest.skip("does not provide 'per-sample'")
        self._check_per_sample(part, shape)

    def _check_per_sample(self, part: Discriminator, shape: ImageShape) -> None:
        mend = "gradient penalties rely on 'per-sample': remove it from `provides`, or remove batch normalization"
        self._compare_first(part, self._images(shape), "in training mode,", mend)

    def _compare_first(self, part: Discriminator, images: Tensor, when: str, mend: str) -> None:
        """Assert that the verdict on the first image does not change with the others."""
        others = torch.cat([images[:1], -images[1:].flip(0)])
        with torch.no_grad():
            torch.manual_seed(0)
            with unchanged(list(part.buffers())):  # as those of spectral normalization, which follow the calls
                first = _tensors(self._judge(part, images))
            torch.manual_seed(0)
            second = _tensors(self._judge(part, others))
        for name, value in second.items():
            close(
                value[0], first[name][0], f"{when} {name} of an image depends on the other images in the batch; {mend}."
            )

    def test_gradient_penalties_have_gradients(self, shape: ImageShape) -> None:
        part, images = self._built(shape).train(), self._images(shape).requires_grad_()
        if not {"per-sample", "logits"} <= part.provides:
            pytest.skip("does not provide 'per-sample' and 'logits'")
        logits = cast(Tensor, self._judge(part, images).logits)
        (gradient,) = torch.autograd.grad(logits.sum(), images, create_graph=True)
        torch.autograd.backward(gradient.square().sum())
        found = [p.grad for p in part.parameters() if p.grad is not None]
        assert any(g.any() for g in found), (
            "the squared gradient of the logits with respect to the images has no gradient in any parameter; use only "
            "operations that are twice differentiable."
        )
        assert all(torch.isfinite(g).all() for g in found), "the gradient of a gradient penalty is NaN or infinite."

    def test_offers_are_true(self, shape: ImageShape) -> None:
        for need, options in self._factory.offers.items():
            part = self._built(shape, options=dict(options))
            assert need in part.provides, (
                f"`offers` says that it provides '{need}' with {options}, but it provides {sorted(part.provides)}."
            )
            self._check_verdict(part, self._judge(part, self._images(shape)))
            if need == "per-sample":
                self._check_per_sample(part.train(), shape)
