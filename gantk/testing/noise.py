"""The contract of noise sources."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from gantk.building.distributions import disagreement, drawn_from
from gantk.parts import ImageShape
from gantk.testing.base import ShapedContract, close

__all__ = ["NoiseContract"]

MEND_RNG = "draw every random number from the `rng` that sample() receives, as draw_normal and draw_uniform do."


def _seed(number: int) -> torch.Generator:
    return torch.Generator().manual_seed(number)


class NoiseContract(ShapedContract):
    """Tests what users of a `gantk.NoiseSource` rely on."""

    kind = "noise"

    def _probe(self, part: Any, shape: ImageShape) -> dict[str, Tensor]:
        return {"noise": part.sample(6, _seed(3))}

    def test_draws_vectors(self, shape: ImageShape) -> None:
        source = self._built(shape)
        for n in (6, 1, 0):
            drawn = source.sample(n)
            assert drawn.shape == (n, source.dim), (
                f"sample({n}) returned {list(drawn.shape)}; expected [n, dim] = {[n, source.dim]}, for any n including "
                "0."
            )
            assert drawn.dtype == torch.float32, f"sample returned {drawn.dtype}; expected float32."
            assert torch.isfinite(drawn).all(), "sample returned NaN or infinity."

    def test_gradients_reach_what_it_names_as_learned(self, shape: ImageShape) -> None:
        source = self._built(shape)
        if not source.learned:  # the generator's player moves every parameter that the samples depend on
            return
        assert source.sample(2).requires_grad, (
            f"`learned` contains {', '.join(map(repr, source.learned))}, but samples have no gradient: do not use "
            "torch.no_grad() or detach in sample."
        )
        source.sample(2).sum().backward()
        moved = [p for path in source.learned for p in source.get_submodule(path).parameters()]
        others = [n for n, p in source.named_parameters() if p.grad is not None and all(p is not m for m in moved)]
        assert not others, f"gradients reach {', '.join(others)}, which `learned` does not contain."

    def test_samples_are_distributed_as_it_says(self, shape: ImageShape) -> None:
        source = self._built(shape)
        if source.distribution is not None:
            wrong = disagreement(drawn_from(source), source.distribution)
            assert not wrong, (
                f"`distribution` is {source.distribution!r}, but {wrong}. Losses that fit codes to the noise rely on "
                "it: correct it, or set it to None if the distribution is unknown."
            )

    def test_vectors_differ(self, shape: ImageShape) -> None:
        drawn = self._built(shape).sample(6, _seed(3))
        assert not torch.equal(drawn[0], drawn[1]), (
            "the first two noise vectors are equal; draw each vector independently."
        )

    def test_the_same_seed_draws_the_same(self, shape: ImageShape) -> None:
        source = self._built(shape)
        one, other = source.sample(6, _seed(3)), source.sample(6, _seed(3))
        assert torch.equal(one, other), f"the same seed drew different noise; {MEND_RNG}"

    def test_another_seed_draws_another(self, shape: ImageShape) -> None:
        source = self._built(shape)
        one, other = source.sample(6, _seed(3)), source.sample(6, _seed(4))
        assert not torch.equal(one, other), f"two seeds drew the same noise; {MEND_RNG}"

    def test_advances_the_rng(self, shape: ImageShape) -> None:
        source, rng = self._built(shape), _seed(3)
        one, other = source.sample(6, rng), source.sample(6, rng)
        assert not torch.equal(one, other), f"two samples from one `rng` are equal; do not seed or copy it: {MEND_RNG}"

    def test_leaves_the_global_rng_alone(self, shape: ImageShape) -> None:
        source = self._built(shape)
        before = torch.random.get_rng_state()
        source.sample(6, _seed(3))
        assert torch.equal(torch.random.get_rng_state(), before), (
            "sample used torch's global random numbers although it received an `rng`, so previews would change "
            f"training; {MEND_RNG}"
        )

    def test_uses_the_global_rng_by_default(self, shape: ImageShape) -> None:
        source = self._built(shape)
        torch.manual_seed(5)
        one = source.sample(6)
        torch.manual_seed(5)
        close(
            source.sample(6), one, "the same torch.manual_seed drew different noise; use random numbers of torch only."
        )

    def test_leaves_modes_as_they_were(self, shape: ImageShape) -> None:
        source = self._built(shape).train()
        source.sample(2)
        switched = [name or "the noise source" for name, module in source.named_modules() if not module.training]
        assert not switched, (
            f"sample left {', '.join(switched)} in evaluation mode; use `with gantk.nn.evaluating(module):`."
        )
