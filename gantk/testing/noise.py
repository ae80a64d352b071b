"""The contract of noise sources."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from gantk.building.distributions import disagreement, drawn_from
from gantk.parts import ImageShape
from gantk.testing.base import ShapedContract, close

__all__ = ["NoiseContract"]

MEND_RNG = "draw every random number from the `rng` that sample() is given: draw_normal and draw_uniform do that."


def _seed(number: int) -> torch.Generator:
    return torch.Generator().manual_seed(number)


class NoiseContract(ShapedContract):
    """What users of a `gantk.NoiseSource` rely on."""

    kind = "noise"

    def _probe(self, part: Any, shape: ImageShape) -> dict[str, Tensor]:
        return {"noise": part.sample(6, _seed(3))}

    def test_draws_vectors(self, shape: ImageShape) -> None:
        source = self._built(shape)
        for n in (6, 1, 0):
            drawn = source.sample(n)
            assert drawn.shape == (n, source.dim), (
                f"sample({n}) returned {list(drawn.shape)}; expected [n, dim] = {[n, source.dim]}: a generator is "
                "built for `dim` numbers, and callers draw any number of vectors."
            )
            assert drawn.dtype == torch.float32, f"sample returned {drawn.dtype}; expected float32."
            assert torch.isfinite(drawn).all(), "sample returned NaN or infinite numbers."

    def test_gradients_reach_what_it_names_as_learned(self, shape: ImageShape) -> None:
        source = self._built(shape)
        if not source.learned:  # the generator's player moves whatever its samples carry gradients to
            return
        assert source.sample(2).requires_grad, (
            f"`learned` names {', '.join(map(repr, source.learned))}, but noise carries no gradient to it: sample must "
            "not run under torch.no_grad() or detach what it draws with."
        )
        source.sample(2).sum().backward()
        moved = [p for path in source.learned for p in source.get_submodule(path).parameters()]
        others = [n for n, p in source.named_parameters() if p.grad is not None and all(p is not m for m in moved)]
        assert not others, f"gradients reach {', '.join(others)}, which `learned` does not name."

    def test_samples_are_distributed_as_it_says(self, shape: ImageShape) -> None:
        source = self._built(shape)
        if source.distribution is not None:
            wrong = disagreement(drawn_from(source), source.distribution)
            assert not wrong, (
                f"`distribution` is {source.distribution!r}, but {wrong}. Losses that fit codes to the noise rely on "
                "it: correct it, or set it to None where it is not known."
            )

    def test_vectors_differ(self, shape: ImageShape) -> None:
        drawn = self._built(shape).sample(6, _seed(3))
        assert not torch.equal(drawn[0], drawn[1]), "the first two noise vectors are equal; draw each one anew."

    def test_the_same_seed_draws_the_same(self, shape: ImageShape) -> None:
        source = self._built(shape)
        one, other = source.sample(6, _seed(3)), source.sample(6, _seed(3))
        assert torch.equal(one, other), f"the same seed drew different noise; {MEND_RNG}"

    def test_another_seed_draws_another(self, shape: ImageShape) -> None:
        source = self._built(shape)
        one, other = source.sample(6, _seed(3)), source.sample(6, _seed(4))
        assert not torch.equal(one, other), f"two seeds drew the same noise; {MEND_RNG}"

    def test_goes_on_from_where_the_rng_is(self, shape: ImageShape) -> None:
        source, rng = self._built(shape), _seed(3)
        one, other = source.sample(6, rng), source.sample(6, rng)
        assert not torch.equal(one, other), (
            f"two draws from one `rng` are equal; do not seed it again or copy it: {MEND_RNG}"
        )

    def test_leaves_the_global_rng_alone(self, shape: ImageShape) -> None:
        source = self._built(shape)
        before = torch.random.get_rng_state()
        source.sample(6, _seed(3))
        assert torch.equal(torch.random.get_rng_state(), before), (
            "sample consumed torch's global random numbers though it was given an `rng`, so that previews would "
            f"change training; {MEND_RNG}"
        )

    def test_follows_the_global_rng_else(self, shape: ImageShape) -> None:
        source = self._built(shape)
        torch.manual_seed(5)
        one = source.sample(6)
        torch.manual_seed(5)
        close(source.sample(6), one, "the same torch.manual_seed drew different noise; use no other random numbers.")

    def test_leaves_modes_as_they_were(self, shape: ImageShape) -> None:
        source = self._built(shape).train()
        source.sample(2)
        switched = [name or "the source" for name, module in source.named_modules() if not module.training]
        assert not switched, (
            f"sample left {', '.join(switched)} in evaluation mode; use `with gantk.nn.evaluating(module):`."
        )
