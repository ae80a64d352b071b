"""Modern adversarial losses, penalties and regularizers: contracts, and values by hand."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from gantk import Discriminator, Loss, Play, Verdict
from gantk.construct import construct
from gantk.errors import FitError, OptionError
from gantk.options import read_options
from gantk.testing import LossContract, ToyDiscriminator, ToyGenerator


class TestHinge(LossContract):
    plugin = "hinge"


class TestLeastSquares(LossContract):
    plugin = "least-squares"


class TestRelativistic(LossContract):
    plugin = "relativistic"


class TestRealPenalty(LossContract):
    plugin = "r1"


class TestFakePenalty(LossContract):
    plugin = "r2"


class TestDragan(LossContract):
    plugin = "dragan"


class TestConsistency(LossContract):
    plugin = "consistency"


class TestDiversity(LossContract):
    plugin = "diversity"


class TestFeatureMatching(LossContract):
    plugin = "feature-matching"


class Linear(Discriminator):
    """a · x + b · |x|²/2: the gradient of a logit is a + b x. Its hidden map is the image."""

    def __init__(self, a: Tensor, b: float = 0.0) -> None:
        super().__init__()
        self.a = nn.Parameter(a)
        self.b = b

    def forward(self, images: Tensor) -> Verdict:
        flat = images.flatten(1)
        return Verdict(logits=flat @ self.a + self.b * flat.square().sum(dim=1) / 2, hidden=(flat,))


REAL, FAKE = [2.0, -1.0, 0.5], [-3.0, 0.25, 1.0]


def game(real: list[float] = REAL, fake: list[float] = FAKE, **more: Any) -> Play:
    """Images of one pixel, which is their logit."""
    one, other = (torch.tensor(x).view(-1, 1, 1, 1) for x in (real, fake))
    return Play(Linear(torch.ones(1)), real=one, fake=other, **more)


def made(spec: str, **context: Any) -> Any:
    loss: Loss = construct("loss", spec, **context)
    return loss


def mean(values: Any) -> float:
    found = list(values)
    return float(sum(found) / len(found))


def softplus(x: float) -> float:
    return math.log1p(math.exp(x))


MEAN_REAL, MEAN_FAKE = mean(REAL), mean(FAKE)


@pytest.mark.parametrize(
    ("spec", "discriminator", "generator"),
    [
        ("hinge", mean([0, 2, 0.5]) + mean([0, 1.25, 2]), -MEAN_FAKE),
        (
            "least-squares",
            (mean((x - 1) ** 2 for x in REAL) + mean(x**2 for x in FAKE)) / 2,
            mean((x - 1) ** 2 for x in FAKE) / 2,
        ),
        (
            "least-squares:a=-1,b=0.9,c=0",
            (mean((x - 0.9) ** 2 for x in REAL) + mean((x + 1) ** 2 for x in FAKE)) / 2,
            mean(x**2 for x in FAKE) / 2,
        ),
        (
            "relativistic",
            mean(softplus(y - x) for x, y in zip(REAL, FAKE, strict=True)),
            mean(softplus(x - y) for x, y in zip(REAL, FAKE, strict=True)),
        ),
        (
            "relativistic:average=true",
            mean(softplus(MEAN_FAKE - x) for x in REAL) + mean(softplus(y - MEAN_REAL) for y in FAKE),
            mean(softplus(MEAN_REAL - y) for y in FAKE) + mean(softplus(x - MEAN_FAKE) for x in REAL),
        ),
        (
            "nonsaturating:smoothing=0.1",
            mean(0.9 * softplus(-x) + 0.1 * softplus(x) for x in REAL) + mean(softplus(y) for y in FAKE),
            mean(softplus(-y) for y in FAKE),
        ),
    ],
)
def test_games_by_hand(spec: str, discriminator: float, generator: float) -> None:
    assert made(spec).discriminator(game()).item() == pytest.approx(discriminator, rel=1e-5)
    assert made(spec).generator(game()).item() == pytest.approx(generator, rel=1e-5)


@pytest.mark.parametrize("spec", ["hinge", "least-squares", "relativistic", "relativistic:average=true"])
def test_games_are_won_by_telling_apart_and_are_finite(spec: str) -> None:
    """Around the labels of least squares, too."""
    loss, even, told = made(spec), game([0.5], [0.5]), game([0.9], [0.1])
    assert loss.discriminator(told) < loss.discriminator(even)
    assert loss.generator(told) > loss.generator(even)
    for term in (loss.discriminator(game([-200.0], [200.0])), loss.generator(game([200.0], [-200.0]))):
        assert math.isfinite(term.item())


def test_pairs_need_as_many_images_of_each_side() -> None:
    with pytest.raises(FitError, match="3 and 2"):
        made("relativistic").discriminator(game(fake=[1.0, 2.0]))


A = torch.tensor([3.0, 0.0, 4.0, 0.0])


@pytest.mark.parametrize(("spec", "image"), [("r1:gamma=0.5", "real"), ("r2:gamma=0.5", "fake")])
def test_zero_centered_penalties_by_hand(spec: str, image: str) -> None:
    """At x the gradient is a + x: γ/2 times the mean of its squared norms, with gradients to the discriminator."""
    torch.manual_seed(0)
    judge, images = Linear(A.clone(), b=1.0), {name: torch.randn(5, 1, 2, 2) for name in ("real", "fake")}
    found = made(spec).discriminator(play := Play(judge, **images))  # type: ignore[arg-type]
    slopes = A + images[image].flatten(1)
    expected = slopes.square().sum(dim=1).mean()
    assert found.item() == pytest.approx(0.25 * expected.item(), rel=1e-5)
    assert play.logged["squared_norm"][0].item() == pytest.approx(expected.item(), rel=1e-5)
    (gradient,) = torch.autograd.grad(found, judge.a)
    torch.testing.assert_close(gradient, 0.25 * 2 * slopes.mean(dim=0))


def test_dragan_by_hand() -> None:
    """A linear discriminator has the same gradient everywhere; a curved one that of a place close by."""
    images = torch.randn(8, 1, 2, 2, generator=torch.Generator().manual_seed(0))
    play = Play(Linear(A), real=images, fake=images)
    assert made("dragan:penalty=3,target=2").discriminator(play).item() == pytest.approx(3 * (5 - 2) ** 2, rel=1e-5)
    curved = Play(Linear(torch.zeros(4), b=1.0), real=images, fake=images)
    exact = images.flatten(1).norm(dim=1).square().mean()
    assert made("dragan:penalty=1,target=0,noise=0").discriminator(curved).item() == pytest.approx(exact.item())
    many = images.repeat(500, 1, 1, 1)
    curved = Play(Linear(torch.zeros(4), b=1.0), real=many, fake=many)
    around = made("dragan:penalty=1,target=0,noise=0.5").discriminator(curved)
    spread = images.std(correction=0)
    assert around.item() == pytest.approx((exact + 4 * (0.5 * spread) ** 2).item(), rel=0.05)


def test_dragan_looks_at_places_as_far_off_as_pixels_spread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch, "randn_like", torch.ones_like)
    images = torch.tensor([[1.0, 5.0, 1.0, 9.0]]).view(1, 1, 2, 2).requires_grad_()
    curved = Play(Linear(torch.zeros(4), b=1.0), real=images, fake=images)
    spread = torch.tensor([1.0, 5.0, 1.0, 9.0]).std(correction=0)
    found = made("dragan:penalty=1,target=0,noise=0.5").discriminator(curved)
    assert found.item() == pytest.approx((images + 0.5 * spread).square().sum().item(), rel=1e-5)


LAZY = ("r1", "r2", "dragan", "consistency", "diversity")


@pytest.mark.parametrize("name", LAZY)
def test_lazy_terms_count_as_often_as_they_are_left_out(name: str) -> None:
    loss, always = made(f"{name}:every=4"), made(name)
    (role,) = loss.roles()
    found = {}
    for step in range(9):
        torch.manual_seed(step)
        generator, noise = ToyGenerator(), torch.randn(6, 5)
        judge, real = ToyDiscriminator(frozenset({"logits"})), torch.rand(6, 1, 4, 3)
        terms = []
        for each in (loss, always):
            torch.manual_seed(step)
            play = Play(judge, real=real, fake=generator(noise), noise=noise, generator=generator, step=step)
            terms.append(getattr(each, role)(play))
        found[step] = terms[0] if terms[0] is None else (terms[0] / terms[1]).item()
    assert {step: value for step, value in found.items() if value is not None} == pytest.approx({0: 4, 4: 4, 8: 4})


class Watching(Discriminator):
    """Judges by the first pixel, and remembers what it was shown."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[Tensor] = []

    def forward(self, images: Tensor) -> Verdict:
        self.seen.append(images)
        return Verdict(logits=images[:, 0, 0, 0])


def test_consistency_by_hand() -> None:
    judge = Watching()
    torch.manual_seed(0)
    real, fake = torch.rand(2, 20, 2, 8, 8)
    found = made("consistency:real=3,fake=5").discriminator(Play(judge, real=real, fake=fake))
    (_, real_again, _, fake_again) = judge.seen
    changes = [(one - other)[:, 0, 0, 0].square().mean() for one, other in ((real, real_again), (fake, fake_again))]
    assert found.item() == pytest.approx((3 * changes[0] + 5 * changes[1]).item(), rel=1e-5)
    assert made("consistency:real=0,fake=0").discriminator(Play(judge, real=real, fake=fake)) is None


@pytest.mark.parametrize("flip", [False, True])
def test_what_consistency_compares_is_the_image_moved_by_whole_pixels(flip: bool) -> None:
    judge, size = Watching(), 8
    lines, columns = torch.meshgrid(torch.arange(size), torch.arange(size), indexing="ij")
    real = torch.stack([lines, columns]).float().expand(200, 2, size, size)
    torch.manual_seed(0)
    made(f"consistency:fake=0,shift=0.25,flip={str(flip).lower()}").discriminator(Play(judge, real=real, fake=real))
    downs, across, mirrored = set(), set(), 0
    for line, column in judge.seen[1]:
        assert torch.equal(line, line[:, :1].expand_as(line)), "all pixels of a line move together"
        assert torch.equal(column, column[:1].expand_as(column))
        order = column[0]
        backwards = bool(order[0] > order[-1])
        mirrored += backwards
        order = order.flip(0) if backwards else order
        for places, shifts in ((line[:, 0], downs), (order, across)):
            shift = int(places[size // 2]) - size // 2
            assert torch.equal(places, (torch.arange(size) + shift).clamp(0, size - 1).float())
            shifts.add(shift)
    assert downs == across == {-2, -1, 0, 1, 2}
    assert 60 < mirrored < 140 if flip else mirrored == 0


def diverse(fake: Tensor, noise: Tensor, **more: Any) -> Play:
    return Play(Linear(torch.ones(1)), real=fake, fake=fake, noise=noise, **more)


def test_diversity_by_hand() -> None:
    """Distances of images 1, 2, 3 and of noise 1, 1, 2: the ratios of neighbors, the last with the first."""
    noise, fake = torch.tensor([[0.0], [1.0], [2.0]]), torch.tensor([0.0, 1.0, 3.0]).view(3, 1, 1, 1)
    ratios = [1 / 1, 2 / 1, 3 / 2]
    play = diverse(fake, noise)
    assert made("diversity").generator(play).item() == pytest.approx(1 / mean(ratios), rel=1e-3)
    assert play.logged["ratio"][0].item() == pytest.approx(mean(ratios), rel=1e-3)
    assert play.logged["ratio"][1] == 0, "it is no part of the term"
    bounded = made("diversity:form=bounded,bound=1.6").generator(play)
    assert bounded.item() == pytest.approx(-mean([1, 1.6, 1.5]), rel=1e-3)
    assert made("diversity").generator(diverse(fake[:1], noise[:1])) is None, "one image has no pair"
    alike = made("diversity").generator(diverse(0 * fake, noise))
    assert math.isfinite(alike.item())


def test_images_of_a_pair_have_one_condition() -> None:
    """Noise of one number, a condition of two."""
    seen: list[Tensor] = []

    class Network(nn.Module):
        def forward(self, noise: Tensor) -> Tensor:
            seen.append(noise)
            return noise.sum(dim=1).view(-1, 1, 1, 1)

    noise = torch.tensor([[0.0, 1, 0], [1.0, 0, 1], [3.0, 1, 0]])
    play = diverse(noise.sum(dim=1).view(-1, 1, 1, 1), noise, generator=Network())
    found = made("diversity", condition_dim=2).generator(play)
    assert torch.equal(seen[0], torch.tensor([[1.0, 1, 0], [3.0, 0, 1], [0.0, 1, 0]]))
    assert found.item() == pytest.approx(1, rel=1e-3), "only the noise counts, and it is the image's only number"


def test_feature_matching_by_hand() -> None:
    fake = torch.tensor(FAKE).view(-1, 1, 1, 1).requires_grad_()
    real = torch.tensor(REAL).view(-1, 1, 1, 1).requires_grad_()
    found = made("feature-matching").generator(Play(Linear(torch.ones(1)), real=real, fake=fake))
    assert found.item() == pytest.approx((MEAN_REAL - MEAN_FAKE) ** 2, rel=1e-5)
    found.backward()
    torch.testing.assert_close(fake.grad.flatten(), torch.full((3,), 2 * (MEAN_FAKE - MEAN_REAL) / 3))  # type: ignore[union-attr]
    assert real.grad is None
    with pytest.raises(
        OptionError, match=r"layer=1 is out of range: this discriminator has 1 hidden map, so expected -1 … 0"
    ):
        made("feature-matching:layer=1").generator(game())


@pytest.mark.parametrize("spec", ["hinge", "r1", "feature-matching"])
def test_what_a_verdict_lacks_is_named(spec: str) -> None:
    loss = made(spec)
    images = torch.rand(2, 1, 4, 3)
    with pytest.raises(FitError, match=f"use one that provides '{'logits' if 'logits' in loss.needs else 'hidden'}'"):
        getattr(loss, loss.roles()[0])(Play(ToyDiscriminator(frozenset({"code"})), real=images, fake=images))


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        ("least-squares:a=1", "b and c must differ from a"),
        ("least-squares:b=nan", ": b must be finite"),
        ("r1:every=0", "every must be at least 1"),
        ("dragan:target=-1", "target must be 0 or more"),
        ("dragan:penalty=-1", ": penalty must be 0 or more"),
        ("dragan:noise=-1", ": noise must be 0 or more"),
        ("consistency:shift=1", "shift must be 0 or more and below 1"),
        ("diversity:bound=0", "bound must be above 0"),
    ],
)
def test_options_out_of_range_are_refused(spec: str, says: str) -> None:
    with pytest.raises(OptionError, match=says):
        made(spec)


DEFAULTS: dict[str, dict[str, Any]] = {
    "hinge": {},
    "least-squares": {"a": 0.0, "b": 1.0, "c": 1.0},
    "relativistic": {"average": False},
    "r1": {"gamma": 10.0, "every": 1},
    "r2": {"gamma": 10.0, "every": 1},
    "dragan": {"penalty": 10.0, "target": 1.0, "noise": 0.5, "every": 1},
    "consistency": {"real": 10.0, "fake": 10.0, "shift": 0.125, "flip": True, "every": 1},
    "diversity": {"form": "inverse", "bound": 10.0, "every": 1},
    "feature-matching": {"layer": -1},
}


@pytest.mark.parametrize("name", DEFAULTS)
def test_defaults_are_those_of_the_papers_and_every_loss_has_a_weight(name: str) -> None:
    options = read_options(type(made(name))).values()
    assert {option.name: option.default for option in options} == {**DEFAULTS[name], "weight": 1.0}
    assert made(f"{name}:weight=0.25").weight == 0.25
    with pytest.raises(OptionError, match=": weight must be 0 or more and finite, not -1"):
        made(f"{name}:weight=-1")


@pytest.mark.parametrize(
    ("spec", "parts"),
    [
        ("hinge", {"real": 1.0, "fake": 1.0}),
        ("least-squares", {"real": 0.5, "fake": 0.5}),
        ("relativistic:average=true", {"real": 1.0, "fake": 1.0}),
        ("r1:gamma=3,every=2", {"squared_norm": 3.0}),
        ("r2:gamma=3,every=2", {"squared_norm": 3.0}),
        ("dragan:penalty=3,every=2", {"penalty": 6.0}),
        ("consistency:real=3,fake=5,every=2", {"real": 6.0, "fake": 10.0}),
    ],
)
def test_parts_are_logged_by_name_and_sum_to_the_term(spec: str, parts: dict[str, float]) -> None:
    torch.manual_seed(0)
    real, fake = torch.randn(2, 5, 1, 2, 2)
    play = Play(Linear(A.clone(), b=1.0), real=real.requires_grad_(), fake=fake, step=0)
    term = made(spec).discriminator(play)
    assert {name: weight for name, (_, weight) in play.logged.items()} == parts
    assert term.item() == pytest.approx(sum(weight * value.item() for value, weight in play.logged.values()), rel=1e-5)


@pytest.mark.parametrize("spec", ["relativistic", "relativistic:average=true"])
def test_real_images_are_constants_for_the_generator(spec: str) -> None:
    real, fake = (torch.randn(3, 1, 1, 1, requires_grad=True) for _ in range(2))
    made(spec).generator(Play(Linear(torch.ones(1)), real=real, fake=fake)).backward()
    assert real.grad is None
    assert fake.grad is not None
