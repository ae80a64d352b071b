"""Whether the noise that a model samples from is distributed as its losses assume."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from gantk.building.construct import construct
from gantk.building.distributions import disagreement, drawn_from
from gantk.building.objectives import losses_of, terms_of
from gantk.building.spec import bare_name
from gantk.errors import FitError, GantkError
from gantk.model import Model
from gantk.parts import DISTRIBUTIONS, Loss, NoiseSource
from gantk.registry import Plugin, plugins
from gantk.schedule import Binding, Stage

__all__ = ["check_priors", "priors_of"]

DRAWN = 512
"""Vectors by which noise is described whose distribution is not known."""
OWN = "gantk"
"""The package whose plugins are named first."""


def priors_of(loss: Loss) -> tuple[str, ...]:
    """The distributions that a loss, or else a loss within it, assumes of the noise; none where any noise will do."""
    inner = (module for module in loss.modules() if isinstance(module, Loss) and module is not loss)
    return loss.prior or next((found for each in inner if (found := priors_of(each))), ())


def check_priors(model: Model, stages: Sequence[Stage]) -> list[str]:
    """Every loss that matches the generator's codes to a distribution finds that the noise has it.

    Returns:
        A sentence on noise that does not say how it is distributed, where a loss assumes something of it.

    Raises:
        FitError: the noise is known to be distributed otherwise, or the codes hold a condition; it names the mend.
    """
    notes: dict[str, None] = {}
    for name, loss in _matching(model, stages):
        prior = priors_of(loss)
        if model.condition is not None and "condition" not in loss.needs and not loss.conditional_prior:
            raise FitError(
                f"loss '{name}' assumes that all {model.noise_dim} numbers that the generator reads are "
                f"{_any_of(prior)}, but the last {model.condition.dim} are the condition",
                "leave out --condition, or choose another loss",
            )
        found = model.noise.distribution
        if found is None:
            notes.setdefault(
                f"noise {_named(model)} does not say how it is distributed (`distribution`): loss {name} assumes "
                f"{_assumed(prior)}, and samples of this one have {_moments(model.noise)}."
            )
        elif found not in prior:
            raise FitError(
                f"loss '{name}' assumes {_assumed(prior)}, but noise '{_named(model)}' is {_said(found)}",
                _mend(prior, model),
            )
        elif wrong := disagreement(drawn_from(model.noise), found):
            raise FitError(
                f"loss '{name}' assumes {_assumed(prior)}, and noise '{_named(model)}' declares that it is "
                f"{_said(found)}, but {wrong}",
                _mend(prior, model),
                f"correct {type(model.noise).__name__}.distribution",
            )
    return list(notes)[:1]


def _matching(model: Model, stages: Sequence[Stage]) -> Iterator[tuple[str, Loss]]:
    """The losses that match codes of the model's own generator to a prior; a part within has its own noise."""
    own = {id(loss): name for name, loss in model.losses}
    for objective in (player.objective for stage in stages for player in stage.players):
        terms = terms_of(objective)
        bound = [(name, loss) for each in terms if _on_generator(each.binding) for name, loss in each.losses]
        held = {id(loss) for each in terms for _, loss in each.losses}
        bare = [(own[id(x)], x) for x in losses_of(objective) if id(x) in own and id(x) not in held]
        yield from ((name, loss) for name, loss in (*bound, *bare) if priors_of(loss))


def _on_generator(binding: Binding) -> bool:
    return binding.autoencoder == Binding.autoencoder


def _named(model: Model) -> str:
    return bare_name(model.built.spec["noise"])


def _said(distribution: str) -> str:
    return DISTRIBUTIONS.get(distribution, distribution)


def _any_of(prior: Sequence[str]) -> str:
    return " or ".join(filter(None, (", ".join(map(_said, prior[:-1])), _said(prior[-1]))))


def _assumed(prior: Sequence[str]) -> str:
    return f"that noise is {_any_of(prior)}"


def _moments(noise: NoiseSource) -> str:
    drawn = drawn_from(noise, DRAWN)
    length = drawn.norm(dim=1).mean()
    return f"mean {drawn.mean():.2f}, standard deviation {drawn.std():.2f} and length {length:.3g}"


def _mend(prior: Sequence[str], model: Model) -> str:
    dim = model.noise.dim
    for distribution in prior:
        for plugin in sorted(plugins("noise"), key=lambda each: each.package != OWN):
            if _is_distributed(plugin, distribution, dim, model):
                unique = sum(each.name == plugin.name for each in plugins("noise")) == 1
                return f"use --noise {plugin.name if unique else plugin.qualified}:dim={dim}"
    return "choose another noise or another loss"


def _is_distributed(plugin: Plugin, distribution: str, dim: int, model: Model) -> bool:
    """Whether a plugin can be constructed with a `dim`, and then draws noise of a distribution."""
    try:
        table: dict[str, Any] = {"plugin": plugin.qualified, "dim": dim}
        made: NoiseSource = construct("noise", table, image_shape=model.image_shape)
    except GantkError:
        return False
    return made.distribution == distribution and made.dim == dim
