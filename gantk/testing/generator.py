"""The contract of generators."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from gantk.parts import Generator, ImageShape
from gantk.testing.base import ShapedContract, close

__all__ = ["GeneratorContract"]


class GeneratorContract(ShapedContract):
    """Tests what users of a `gantk.Generator` rely on."""

    kind = "generator"

    def _noise(self, n: int = 4, seed: int = 2) -> Tensor:
        return torch.randn(n, self.noise_dim, generator=torch.Generator().manual_seed(seed))

    def _probe(self, part: Any, shape: ImageShape) -> dict[str, Tensor]:
        with torch.no_grad():
            found = {"images": part(self._noise())}
            if "posterior" in part.provides:
                posterior = part.encode(self._images(shape))
                found |= {"posterior mean": posterior.mean, "posterior log_variance": posterior.log_variance}
        return found

    def test_makes_images(self, shape: ImageShape) -> None:
        part = self._built(shape)
        images = part(self._noise())
        assert images.shape == (4, *shape), (
            f"images of 4 noise vectors have the shape {list(images.shape)}; expected {[4, *shape]}. To refuse a shape "
            "that the network does not support, raise gantk.errors.FitError with the reason."
        )
        assert images.dtype == torch.float32, f"images are {images.dtype}; expected float32."
        assert part.image_shape == shape, (
            f"image_shape is {part.image_shape}; expected {shape}, as the constructor received."
        )

    def test_stays_in_range(self, shape: ImageShape) -> None:
        images = self._built(shape)(10 * self._noise())
        low, high = images.min().item(), images.max().item()
        assert -1 <= low <= high <= 1, (
            f"pixels are from {low:g} to {high:g}; expected [-1, 1]. End with torch.tanh or 2 * sigmoid - 1 "
            "(gantk.nn.output_activation)."
        )

    def test_depends_on_noise(self, shape: ImageShape) -> None:
        images = self._built(shape)(self._noise())
        assert not torch.equal(images[0], images[1]), "two noise vectors gave the same image; use the noise."

    def _outputs(self, part: Any, shape: ImageShape) -> list[Tensor]:
        """Outputs that together use all parameters; override it for a generator with further modules."""
        images = part(self._noise()) * self._images(shape)
        if "posterior" not in part.provides:
            return [images]
        posterior = part.encode(self._images(shape))
        return [images, posterior.mean, posterior.log_variance]

    def test_gradients_reach_every_parameter(self, shape: ImageShape) -> None:
        part = self._built(shape).train()
        torch.autograd.backward(torch.stack([output.sum() for output in self._outputs(part, shape)]).sum())
        self._check_gradients(part)

    @staticmethod
    def _check_gradients(part: Generator) -> None:
        moved = {name: p for name, p in part.named_parameters() if p.requires_grad}
        idle = [name for name, p in moved.items() if p.grad is None]
        assert not idle, f"no gradient reaches {', '.join(idle)}; use these parameters or do not create them."
        gradients = {name: p.grad for name, p in moved.items() if p.grad is not None}
        wrong = [name for name, gradient in gradients.items() if not torch.isfinite(gradient).all()]
        assert not wrong, f"the gradients of {', '.join(wrong)} are NaN or infinite."
        assert any(gradient.any() for gradient in gradients.values()), (
            "every gradient is zero, so nothing can be learned."
        )

    def test_evaluation_is_deterministic(self, shape: ImageShape) -> None:
        part = self._built(shape).eval()
        first = part(self._noise())
        torch.manual_seed(99)
        assert torch.equal(part(self._noise()), first), (
            "in evaluation mode, the same noise gave different images; use further random numbers, as dropout does, in "
            "training mode only."
        )

    def test_evaluation_looks_at_one_vector_at_a_time(self, shape: ImageShape) -> None:
        part, noise = self._built(shape).eval(), self._noise()
        others = torch.cat([noise[:1], self._noise(3, seed=7)])
        close(
            part(others)[0],
            part(noise)[0],
            "in evaluation mode, an image depends on the other vectors in the batch; use running statistics.",
        )
        close(part(noise[:1])[0], part(noise)[0], "in evaluation mode, an image depends on the batch size.")

    def test_posterior(self, shape: ImageShape) -> None:
        part, images = self._built(shape), self._images(shape)
        if "posterior" not in part.provides:
            with pytest.raises(TypeError):
                part.encode(images)
            return
        posterior = part.encode(images)
        for name in ("mean", "log_variance"):
            value = getattr(posterior, name)
            assert value.shape == (4, self.noise_dim), (
                f"posterior.{name} has the shape {list(value.shape)}; expected [N, noise_dim] = {[4, self.noise_dim]}, "
                "since samples of it are decoded like noise."
            )
            assert torch.isfinite(value).all(), f"posterior.{name} contains NaN or infinity."
        close(
            posterior.sample(torch.zeros(4, self.noise_dim)),
            posterior.mean,
            "the sample of the posterior at ε = 0 is not its mean.",
        )

    def test_codes_and_noise_lie_on_the_sphere(self, shape: ImageShape) -> None:
        part = self._built(shape).eval()
        if "sphere" not in part.provides:
            return
        lengths = part.encode(self._images(shape)).mean.norm(dim=1)
        assert torch.allclose(lengths, torch.ones_like(lengths), atol=1e-3), (
            f"the generator provides 'sphere', but its codes have lengths from {lengths.min():.3g} to "
            f"{lengths.max():.3g}: normalize them with gantk.nn.on_sphere."
        )
        noise = self._noise()
        close(
            part(3 * noise),
            part(noise),
            "the generator provides 'sphere', but its images depend on the length of the noise: normalize it too.",
        )

    def test_offers_are_true(self, shape: ImageShape) -> None:
        for need, options in self._factory.offers.items():
            part = self._built(shape, options=dict(options))
            assert need in part.provides, (
                f"`offers` says that it provides '{need}' with {options}, but it provides {sorted(part.provides)}."
            )
