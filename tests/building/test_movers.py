"""Which parameters are trained is read from the graphs of players' terms, and the others are named by module."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from gantk import Model, NoiseSource
from gantk.building.movers import drawn_through, notes_on_movers, reached, untrained
from gantk.testing import ToyDiscriminator, ToyGenerator, ToyNoise


def test_a_deep_network_with_many_paths_is_read_at_once() -> None:
    """Every layer is joined by two paths: 2^60 of them lead to its first parameter."""
    first, second = nn.Parameter(torch.ones(())), nn.Parameter(torch.ones(()))
    value: Tensor = first * 1
    for _ in range(60):
        value = value.sin() + value.cos()
    assert reached([value, torch.ones(())]) == {id(first)}
    assert reached([value * second]) == {id(first), id(second)}


class Twice(nn.Linear):
    """A layer within a layer."""

    def __init__(self) -> None:
        super().__init__(5, 5)
        self.inner = nn.Linear(5, 5)

    def forward(self, values: Tensor) -> Tensor:
        found: Tensor = self.inner(super().forward(values))
        return found


class Learned(NoiseSource):
    """Noise that is drawn through some of its modules."""

    def __init__(self, *, own: bool = False) -> None:
        super().__init__()
        self.dim = 5
        self.mapping = nn.Sequential(nn.Linear(5, 5), nn.Sequential(nn.Linear(5, 5)))
        self.shift = Twice()
        self.shifted = nn.Linear(5, 5)
        self.unused = nn.Linear(5, 5)
        self.scale = nn.Parameter(torch.ones(()), requires_grad=own)

    def sample(self, n: int, rng: torch.Generator | None = None) -> Tensor:
        drawn: Tensor = self.shifted(self.shift(self.mapping(self.draw_normal(n, 5, rng=rng)))) * self.scale
        return drawn


def test_noise_is_drawn_through_its_modules_that_hold_parameters() -> None:
    assert drawn_through(Learned()) == ["mapping.0", "mapping.1.0", "shift", "shifted"]
    assert drawn_through(ToyNoise()) == []


def test_noise_that_is_drawn_through_a_parameter_of_its_own_is_named_whole() -> None:
    assert drawn_through(Learned(own=True)) == [""]


def model_of(noise: NoiseSource, **metrics: nn.Module) -> Model:
    return Model(noise, ToyGenerator(), ToyDiscriminator(frozenset({"logits"})), losses={}, metrics=metrics)


def test_what_nobody_trains_is_named_by_its_outermost_module() -> None:
    model = model_of(Learned())
    names = {name for name, _ in model.named_parameters()}
    assert untrained(model, names) == []
    assert untrained(model, set()) == ["noise", "generator", "discriminator"]
    idle = {"noise.mapping.0.weight", "noise.mapping.0.bias", "noise.scale", "noise.shift.bias"}
    assert untrained(model, names - idle) == ["noise.scale", "noise.mapping.0", "noise.shift.bias"]


def test_a_layer_that_two_modules_share_is_trained_in_both() -> None:
    model = model_of(ToyNoise())
    encoder = ToyGenerator()
    encoder.decoder = model.generator.decoder
    model.generator.within = encoder
    names = {name for name, _ in model.named_parameters()}
    assert "generator.within.decoder.weight" not in names
    assert untrained(model, names) == []
    encoder.decoder = nn.Linear(5, 12)
    assert untrained(model, names) == ["generator.within.decoder"]


def test_a_metric_is_not_trained_and_nothing_is_said_of_it() -> None:
    model = model_of(ToyNoise(), judged=nn.Linear(2, 2))
    assert untrained(model, [name for name, _ in model.named_parameters() if "metric" not in name]) == []


@pytest.mark.parametrize(
    ("count", "said"),
    [(1, "no player trains g.0."), (4, "no player trains g.0, g.1, g.2, g.3."), (5, "g.2, g.3 and 1 more.")],
)
def test_a_note_names_a_few_modules_of_a_part(count: int, said: str) -> None:
    (note, other) = notes_on_movers([*(f"g.{number}" for number in range(count)), "d.1"])
    assert note.endswith(said)
    assert other == "no player trains d.1."
