"""AEGAN's schedule and its denoiser: who moves when, towards what, and with which gradients."""

from __future__ import annotations

import math
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

import gantk
from gantk.construct import construct
from gantk.data import ArraySource
from gantk.errors import FitError
from gantk.run.folder import Run
from gantk.schedule import Batch, Player, Stage, Step
from gantk.training.progress import Silent
from gantk.training.turn import Turns

GROUPS = (
    "generator.encoder",
    "generator.decoder",
    "generator.embedding",
    "discriminator",
    "refiner.network",
    "refiner.discriminator",
)
AUTOENCODER = {"generator.encoder", "generator.decoder"}

Build = Callable[..., gantk.Model]


@pytest.fixture(scope="module")
def pictures() -> ArraySource:
    rng = torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (24, 1, 20, 20), dtype=torch.uint8, generator=rng)
    return ArraySource(images.numpy())


@pytest.fixture
def build(pictures: ArraySource) -> Build:
    """Builds a small system on those images; every stage is two steps of four images."""

    def build(recipe: str = "embedding-game", settings: dict[str, Any] | None = None, **parts: Any) -> gantk.Model:
        stages = ("autoencode", "game", "fine-tune") if recipe == "embedding-game" else ("game",)
        if recipe == "embedding-game:fine_tune=false":
            stages = ("autoencode", "game")
        short = {f"stages.{s}.{k}": v for s in stages for k, v in (("length", "2 steps"), ("batch_size", 4))}
        small = {"noise": "gaussian:dim=6", "generator": "aegan:width=4", "discriminator": "aegan:width=4"}
        if "embedding" not in recipe:
            small = {"noise": "gaussian:dim=6", "generator": "dcgan:width=4", "discriminator": "dcgan:width=4"}
        small["refiner"] = "denoiser:width=4"
        chosen = {name: part for name, part in {**small, **parts}.items() if part}
        return gantk.build(recipe, data=pictures, settings={**short, **(settings or {})}, **chosen)

    return build


class Recorder:
    """Which groups of parameters each turn of a training moves."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.turns: list[tuple[str, str, set[str]]] = []
        play = Turns._turn

        def turn(turns: Turns, player: Player, steps: Sequence[Step], following: Sequence[Player]) -> dict[str, Any]:
            before = self._parameters(steps[0])
            values = play(turns, player, steps, following)
            after = self._parameters(steps[0])
            moved = {n.rpartition(":")[0] for n, value in after.items() if not torch.equal(value, before[n])}
            self.turns.append((turns.stage.name, player.name, moved))
            return values

        monkeypatch.setattr(Turns, "_turn", turn)

    @staticmethod
    def _parameters(step: Step) -> dict[str, Tensor]:
        found: dict[str, Tensor] = {}
        for name, parameter in step._modules.named_parameters():
            group = next((group for group in GROUPS if name.startswith(f"{group}.")), name)
            found[f"{group}:{name}"] = parameter.detach().clone()
        return found


def test_algorithm_1(build: Build, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Step 1 trains the autoencoder, step 2 has it fixed, step 3 moves the discriminators and then all the rest."""
    recorder = Recorder(monkeypatch)
    gantk.train(build(), tmp_path / "run", progress=Silent())
    autoencode = [("autoencode", "autoencoder", AUTOENCODER)]
    game = [
        ("game", "discriminator", {"discriminator"}),
        ("game", "generator", {"generator.embedding"}),
        ("game", "refiner-discriminator", {"refiner.discriminator"}),
        ("game", "refiner", {"refiner.network"}),
    ]
    tuning = [
        ("fine-tune", "discriminator", {"discriminator"}),
        ("fine-tune", "refiner-discriminator", {"refiner.discriminator"}),
        ("fine-tune", "generator", {*AUTOENCODER, "generator.embedding", "refiner.network"}),
    ]
    assert recorder.turns == 2 * autoencode + 2 * game + 2 * tuning


def test_without_a_refiner_and_without_fine_tuning(
    build: Build, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorder = Recorder(monkeypatch)
    gantk.train(build("embedding-game:fine_tune=false", refiner=None), tmp_path / "run", progress=Silent())
    assert recorder.turns == [
        *2 * [("autoencode", "autoencoder", AUTOENCODER)],
        *2 * [("game", "discriminator", {"discriminator"}), ("game", "generator", {"generator.embedding"})],
    ]


def test_the_denoiser_joins_any_game(build: Build, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recorder = Recorder(monkeypatch)
    model = build("dcgan")
    gantk.train(model, tmp_path / "run", progress=Silent())
    assert [(player, {group.partition(".")[0] for group in moved}) for _, player, moved in recorder.turns[:4]] == [
        ("discriminator", {"discriminator"}),
        ("generator", {"generator"}),
        ("refiner-discriminator", {"refiner"}),
        ("refiner", {"refiner"}),
    ]
    assert [moved for _, _, moved in recorder.turns[2:4]] == [{"refiner.discriminator"}, {"refiner.network"}]
    assert not torch.equal(model.sample(3, seed=0), model.sample(3, seed=0, refine=False))


def test_a_denoiser_leaves_the_game_as_it_was(build: Build, tmp_path: Path) -> None:
    """The generator and its discriminator end in the same bits as without one, but for the batch statistics."""
    with_one, without = build("dcgan:image_noise=0"), build("dcgan:image_noise=0", refiner=None)
    for name, model in (("with", with_one), ("without", without)):
        gantk.train(model, tmp_path / name, progress=Silent())
    for part in ("generator", "discriminator"):
        ours = dict(with_one.get_submodule(part).named_parameters())
        for name, parameter in without.get_submodule(part).named_parameters():
            if name.endswith("weight"):
                torch.testing.assert_close(ours[name], parameter, msg=f"{part}.{name}")


def turn(model: gantk.Model, stage: Stage, name: str, batch: Tensor) -> tuple[Step, dict[str, Tensor]]:
    """One player's terms on a batch, every earlier player having had no turn; with gradients for whom it moves."""
    player = next(player for player in stage.players if player.name == name)
    model.eval().requires_grad_(False)
    for path in player.moves:
        model.get_submodule(path).requires_grad_(True)
    step = model.step(Batch(batch), stage.values)
    step.begin(player.moves, [])
    torch.manual_seed(5)
    return step, dict(player.objective(step))


@pytest.mark.parametrize("loss", ["minimax", "nonsaturating", "wasserstein"])
def test_the_whole_objective_by_hand(build: Build, loss: str) -> None:
    """Equation 6: its value term by term, and its gradient in every parameter of P."""
    model = build(loss=loss)
    stage = model.built.stages[-1]
    x = torch.rand(4, 1, 20, 20) * 2 - 1
    step, terms = turn(model, stage, "generator", x)
    g, d, refiner = model.generator, model.discriminator, model.refiner
    torch.manual_seed(5)
    z = step["noise"]
    h, e = g.encoder(x), g.embedding(z)  # type: ignore[operator]
    generated = g.decoder(e)  # type: ignore[operator]
    refined = refiner.network(generated)  # type: ignore[operator, union-attr]
    real, fake = d(h).logits, d(e).logits  # type: ignore[misc]
    seen = refiner.discriminator(refined).logits  # type: ignore[operator, union-attr]
    embedding, encoder = {
        "minimax": (F.logsigmoid(-fake).mean(), F.logsigmoid(real).mean()),
        "nonsaturating": (-F.logsigmoid(fake).mean(), -F.logsigmoid(-real).mean()),
        "wasserstein": (-fake.mean(), real.mean()),
    }[loss]
    expected = {
        "autoencoder/l1": (g.decoder(h) - x).abs().mean(),  # type: ignore[operator]
        f"embedding/{loss}": embedding,
        f"encoder/{loss}": encoder,
        "refiner/game/nonsaturating": -F.logsigmoid(seen).mean(),
        "refiner/content/l1": 100 * (refined - generated.detach()).abs().mean(),
    }
    assert terms.keys() == expected.keys()
    for name, value in expected.items():
        torch.testing.assert_close(terms[name], value, msg=f"{name}: {terms[name]} and not {value}")
    moved = [p for path in stage.players[-1].moves for p in model.get_submodule(path).parameters()]
    found = torch.autograd.grad(torch.stack([*terms.values()]).sum(), moved, retain_graph=True)
    wanted = torch.autograd.grad(torch.stack([*expected.values()]).sum(), moved)
    for one, other in zip(found, wanted, strict=True):
        torch.testing.assert_close(one, other)
    through = torch.autograd.grad(terms["refiner/game/nonsaturating"], [*g.embedding.parameters()])  # type: ignore[union-attr]
    assert all(gradient.any() for gradient in through), "G_E and F learn through the denoiser"


def test_the_game_on_embeddings_by_hand(build: Build) -> None:
    model = build(loss="minimax")
    stage = model.built.stages[1]
    x = torch.rand(4, 1, 20, 20) * 2 - 1
    step, terms = turn(model, stage, "discriminator", x)
    real = model.discriminator(model.generator.encoder(x)).logits  # type: ignore[misc, operator]
    fake = model.discriminator(model.generator.embedding(step["noise"])).logits  # type: ignore[misc, operator]
    expected = -F.logsigmoid(real).mean() - F.logsigmoid(-fake).mean()
    torch.testing.assert_close(terms["minimax"], expected)
    assert not step["embedding"].requires_grad, "the autoencoder is fixed"
    _, terms = turn(model, stage, "refiner-discriminator", x)
    assert terms["nonsaturating"].item() > 0


def test_the_denoisers_own_game_by_hand(build: Build) -> None:
    """Equation 4, with D_R(x) where the paper prints D_R(H(x))."""
    model = build("dcgan", refiner="denoiser:width=4,weight=7,dropout=0")
    stage = model.built.stages[0]
    refiner: Any = model.refiner
    x = torch.rand(4, 1, 20, 20) * 2 - 1
    step, terms = turn(model, stage, "refiner-discriminator", x)
    generated = model.generator(step["noise"])
    refined = refiner.network(generated)
    real, fake = refiner.discriminator(x).logits, refiner.discriminator(refined).logits
    torch.testing.assert_close(terms["nonsaturating"], -F.logsigmoid(real).mean() - F.logsigmoid(-fake).mean())
    step, terms = turn(model, stage, "refiner", x)
    generated = model.generator(step["noise"])
    refined = refiner.network(generated)
    torch.testing.assert_close(terms["content/l1"], 7 * (refined - generated).abs().mean())
    seen = refiner.discriminator(refined).logits
    torch.testing.assert_close(terms["game/nonsaturating"], -F.logsigmoid(seen).mean())


def test_reconstruction_by_hand(build: Build) -> None:
    model = build()
    x = torch.rand(4, 1, 20, 20) * 2 - 1
    _, terms = turn(model, model.built.stages[0], "autoencoder", x)
    rebuilt = model.generator.decoder(model.generator.encoder(x))  # type: ignore[operator]
    torch.testing.assert_close(terms["l1"], (rebuilt - x).abs().mean())


def test_everything_at_once_trains(build: Build, tmp_path: Path) -> None:
    """DE noise under WGAN-GP with the code loss, hidden-space loss and denoiser, on embeddings."""
    model = build(
        noise="de:dim=6,autoencoder='vae:width=2'",
        loss=["wgan-gp", "code", "hidden"],
        settings={"stages.pretrain.length": "2 steps", "stages.pretrain.batch_size": 4},
    )
    assert [stage.name for stage in model.built.stages] == ["pretrain", "autoencode", "game", "fine-tune"]
    assert model.built.spec["discriminator"]["norm"] == "layer"
    assert model.built.spec["discriminator"]["code"] is True
    gantk.train(model, tmp_path / "run", progress=Silent())
    images = gantk.load(tmp_path / "run").sample(3)
    assert images.shape == (3, 1, 20, 20)
    assert images.isfinite().all()


def test_a_resumed_run_ends_in_the_same_bits(build: Build, tmp_path: Path) -> None:
    settings = {"train.checkpoint_every": 1, "train.keep": 99}
    gantk.train(build(settings=settings), tmp_path / "whole", progress=Silent())
    run = Run(shutil.copytree(tmp_path / "whole", tmp_path / "run"))
    for step in run.steps()[2:]:  # the end of the first stage
        shutil.rmtree(run.checkpoint(step))
    gantk.train(build(settings=settings), run, progress=Silent())
    one, other = (gantk.load(tmp_path / name).state_dict() for name in ("whole", "run"))
    assert one.keys() == other.keys()
    assert [name for name in one if not torch.equal(one[name], other[name])] == []


def test_embeddings_are_what_is_judged(build: Build) -> None:
    model = build()
    assert model.built.recipe is not None
    x = torch.rand(3, 1, 20, 20)
    assert model.built.recipe.judged_shape(model.generator) == (4, 5, 5)
    assert model.built.recipe.judged(model, x).shape == (3, 4, 5, 5)


def test_generators_without_embeddings_are_refused(build: Build) -> None:
    with pytest.raises(FitError, match="has no encoder, embedding, decoder"):
        build(generator="dcgan:width=4")


def test_whose_size_is_too_small_is_said(build: Build) -> None:
    with pytest.raises(FitError, match=r"3x3 pixels are too .* in this recipe it judges \[4, 3, 3\]"):
        build(generator="aegan:width=4,embedding=4")


def test_the_denoisers_loss_must_be_a_game() -> None:
    context = {"image_shape": (1, 20, 20), "noise_dim": 6}
    with pytest.raises(FitError, match="loss 'hidden' is not a game"):
        construct("refiner", "denoiser:width=2,loss=hidden", **context)
    penalized: Any = construct("refiner", "denoiser:width=2,loss=wgan-gp", **context)
    assert "per-sample" in penalized.discriminator.provides
    with pytest.raises(FitError, match="needs per-sample"):
        construct("refiner", "denoiser:width=2,loss=wgan-gp,discriminator='dcgan:width=2,norm=batch'", **context)


@pytest.mark.parametrize("name", ["aegan", "aegan-64", "aegan-128"])
def test_small_presets_build(name: str, pictures: ArraySource) -> None:
    model = gantk.build(name, data=pictures)
    assert model.refiner is not None
    assert [stage.name for stage in model.built.stages] == ["autoencode", "game"]


def test_the_papers_preset_has_the_papers_values(pictures: ArraySource) -> None:
    model = gantk.build("aegan-512", data=pictures)
    stages = {stage.name: stage for stage in model.built.stages}
    assert {name: stage.length for name, stage in stages.items()} == {
        "autoencode": "100 epochs",
        "game": "200 epochs",
        "fine-tune": "100 epochs",
    }
    assert {stage.batch_size for stage in model.built.stages} == {16}
    rates = {
        (s.name, p.name): (p.optimizer["lr"], p.optimizer["betas"][0]) for s in model.built.stages for p in s.players
    }
    assert rates.pop(("autoencode", "autoencoder")) == (1e-5, 0.9)
    assert {rate for (stage, _), rate in rates.items() if stage == "game"} == {(2e-4, 0.5)}
    assert {rate for (stage, _), rate in rates.items() if stage == "fine-tune"} == {(1e-7, 0.9)}
    assert model.built.spec["noise"] == {"plugin": "gantk:uniform", "dim": 100}
    assert math.isclose(model.built.spec["refiner"]["weight"], 100)
    assert model.built.spec["refiner"]["skips"] is False


def test_the_papers_preset_goes_without_its_last_stage(pictures: ArraySource) -> None:
    model = gantk.build("aegan-512:fine_tune=false", data=pictures)
    assert [stage.name for stage in model.built.stages] == ["autoencode", "game"]
