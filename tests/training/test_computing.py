"""`train.precision=auto`: measured once, kept in the run, and nothing of the run is changed by it."""

from __future__ import annotations

import json
import random
import signal
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import gantk
from gantk.errors import Interrupted, RunError
from gantk.pages.machine import machines_of
from gantk.report.checked import checked
from gantk.report.one_run import run_json, run_text
from gantk.run.chosen import Chosen, Computing, read_chosen
from gantk.run.folder import Run
from gantk.training.computing import Trials, _affordable
from gantk.training.progress import Silent

Build = Callable[..., gantk.Model]
PLAIN, AUTO = {"train.precision": "32-true"}, {"train.precision": "auto"}
HALF, LAST, BOTH = "bf16-mixed", "32-true, channels_last", "bf16-mixed, channels_last"


class Saying(Silent):
    """Keeps what is said."""

    def __init__(self) -> None:
        super().__init__()
        self.said: list[str] = []

    def say(self, text: str) -> None:
        self.said.append(text)


def measured_anyway(monkeypatch: pytest.MonkeyPatch) -> None:
    """However short a training is."""
    monkeypatch.setattr("gantk.training.computing.SHORT", 0.0)
    monkeypatch.setattr("gantk.training.computing.FEWEST_STEPS", 0)


@pytest.fixture
def speeds(monkeypatch: pytest.MonkeyPatch) -> dict[str, float]:
    """How many times as fast as plain float32 each way is, where a test says so; every way is played all the same."""
    found: dict[str, float] = {}

    def times(
        ways: Sequence[Computing], prepare: Callable[..., Any], *_: object, **__: object
    ) -> Mapping[Computing, list[float]]:
        for way in ways:
            prepare(way)()
        return {way: [0.1 / found.get(str(way), 1.0)] for way in ways}

    monkeypatch.setattr("gantk.training.computing.times", times)
    measured_anyway(monkeypatch)
    return found


def never(monkeypatch: pytest.MonkeyPatch) -> None:
    def chosen(self: Trials) -> Chosen:
        raise AssertionError("it is measured")

    monkeypatch.setattr(Trials, "chosen", chosen)


def weights(model: gantk.Model) -> dict[str, Tensor]:
    return {name: value.clone() for name, value in model.state_dict().items()}


def same(one: Mapping[str, Tensor], other: Mapping[str, Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(value, other[name]) for name, value in one.items())


def outputs(module: nn.Module) -> list[tuple[torch.dtype, bool]]:
    """The type of each output of a module in training, and whether it is laid out channels last."""
    found: list[tuple[torch.dtype, bool]] = []
    module.register_forward_hook(
        lambda of, given, output: found.append(
            (output.dtype, output.is_contiguous(memory_format=torch.channels_last) and not output.is_contiguous())
        )
    )
    return found


@pytest.mark.parametrize("parts", [{}, {"noise": "de:dim=6,autoencoder='vae:width=4'", "loss": "wgan-gp"}])
def test_plain_float32_stays_exact(
    parts: dict[str, Any], speeds: dict[str, float], tiny: Build, tmp_path: Path
) -> None:
    """Weights, averages, buffers, random numbers and optimizers are what they would be without a measurement."""
    usual = {"train.ema": 0.9, "train.log_every": 1}
    plain = gantk.train(tiny(settings={**usual, **PLAIN}, **parts), tmp_path / "plain", progress=Silent())
    model = tiny(settings={**usual, **AUTO}, **parts)
    auto = gantk.train(model, tmp_path / "auto", progress=Silent())
    assert same(weights(plain), weights(auto))
    lines = [
        [json.loads(line)["values"] for line in (tmp_path / name / "log.jsonl").read_text().splitlines()]
        for name in ("plain", "auto")
    ]
    assert lines[0] == lines[1]
    assert read_chosen(Run(tmp_path / "auto")) is not None
    assert Run(tmp_path / "auto").spec()["train"]["precision"] == "auto"


def test_a_measurement_leaves_everything_as_it_was(
    speeds: dict[str, float], tiny: Build, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    speeds[BOTH] = 2.0
    model = tiny(settings=AUTO, noise="de:dim=6,autoencoder='vae:width=4'")
    before, seen = weights(model), []
    random.seed(1), np.random.seed(2), torch.manual_seed(3)
    drawn = (random.random(), np.random.rand(), torch.rand(1))
    random.seed(1), np.random.seed(2), torch.manual_seed(3)

    def look(self: Trials) -> None:
        flags = [(m.training, [p.requires_grad for p in m.parameters()]) for m in model.modules()]
        strides = [value.stride() for value in model.state_dict().values()]
        chosen = trials(self)
        seen.append(chosen)
        assert chosen is not None
        assert same(before, weights(model))
        assert flags == [(m.training, [p.requires_grad for p in m.parameters()]) for m in model.modules()]
        assert strides == [value.stride() for value in model.state_dict().values()]
        assert all(parameter.grad is None for parameter in model.parameters())
        raise KeyboardInterrupt

    trials = Trials.chosen
    monkeypatch.setattr(Trials, "chosen", look)
    with pytest.raises(KeyboardInterrupt):
        gantk.train(model, tmp_path / "run", progress=Silent())
    (chosen,) = seen
    assert (chosen.precision, chosen.memory_format, chosen.stage) == ("bf16-mixed", "channels_last", "game")
    assert drawn == (random.random(), np.random.rand(), torch.rand(1))


def test_the_fastest_is_taken_said_and_kept(
    speeds: dict[str, float], tiny: Build, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    speeds.update({HALF: 1.3, LAST: 1.2, BOTH: 2.0})
    run, saying = Run(tmp_path / "run"), Saying()
    model = tiny(data="digits", settings={**AUTO, "stages.game.length": "2 steps"})
    gantk.train(model, run, progress=saying)
    (line,) = [text for text in saying.said if text.startswith("precision: ")]
    assert line == f"precision: {BOTH}: 2.00 times as fast as 32-true, measured on 8 images of stage 'game', cpu"
    assert line in run_text(run)
    assert run_json(run)["precision"]["memory_format"] == "channels_last"
    assert machines_of(run, run.spec(), None)["Precision that was chosen"][0] == ("precision", BOTH)
    assert [each.about for each in checked(run) if each.file == "precision.json"] == [BOTH]
    never(monkeypatch)
    again, saying = gantk.load(run), Saying()
    assert again.discriminator is not None
    found = outputs(next(each for each in again.discriminator.modules() if isinstance(each, nn.Conv2d)))
    gantk.train(again, run, settings={"stages.game.length": "3 steps"}, progress=saying)
    assert (torch.bfloat16, True) in found
    assert not any("precision" in text for text in saying.said)
    assert all(value.is_contiguous() for value in again.state_dict().values())


def test_what_is_hardly_faster_is_not_taken(speeds: dict[str, float], tiny: Build, tmp_path: Path) -> None:
    speeds.update({HALF: 1.09, LAST: 0.5})
    saying = Saying()
    gantk.train(tiny(settings={**AUTO, "stages.game.length": "1 step"}), tmp_path / "run", progress=saying)
    (line,) = [text for text in saying.said if text.startswith("precision: ")]
    assert line.startswith("precision: 32-true, since nothing else is clearly faster (32-true, channels_last: 0.50 ")
    assert "bf16-mixed: 1.09 times as fast" in line


def test_it_works_in_every_stage_that_is_left(speeds: dict[str, float], tiny: Build, tmp_path: Path) -> None:
    """The pre-training cannot be computed in bfloat16, though the game could."""
    speeds.update({HALF: 3.0, BOTH: 2.0, LAST: 1.5})
    model = tiny(settings=AUTO, noise="de:dim=6,autoencoder='vae:width=4'")

    def refuse(module: nn.Module, given: object) -> None:
        if module.training and torch.is_autocast_enabled("cpu"):
            raise RuntimeError("not implemented for 'BFloat16'")

    for each in model.noise.modules():
        each.register_forward_pre_hook(refuse)
    gantk.train(model, tmp_path / "run", progress=Silent())
    chosen = read_chosen(Run(tmp_path / "run"))
    assert chosen is not None
    assert str(chosen.computing) == LAST


def test_the_layout_that_is_set_stays(speeds: dict[str, float], tiny: Build, tmp_path: Path) -> None:
    speeds.update({HALF: 2.0, BOTH: 3.0})
    settings = {**AUTO, "train.memory_format": "contiguous", "stages.game.length": "1 step"}
    gantk.train(tiny(settings=settings), tmp_path / "run", progress=Silent())
    chosen = read_chosen(Run(tmp_path / "run"))
    assert chosen is not None
    assert str(chosen.computing) == HALF
    assert [*chosen.seconds] == ["32-true", HALF]


def test_within_a_run_and_after_a_fresh_start(speeds: dict[str, float], tiny: Build, tmp_path: Path) -> None:
    """What is set counts, whatever was chosen; and what is finished is not measured."""
    run = Run(tmp_path / "run")
    gantk.train(tiny(data="digits", settings={**PLAIN, "stages.game.length": "2 steps"}), run, progress=Silent())
    gantk.train(gantk.load(run), run, settings=AUTO, progress=Silent())
    assert read_chosen(run) is None
    speeds[HALF] = 2.0
    gantk.train(gantk.load(run), run, settings={"stages.game.length": "3 steps"}, progress=Silent())
    chosen = read_chosen(run)
    assert chosen is not None
    assert (chosen.step, chosen.precision) == (2, "bf16-mixed")
    speeds[HALF] = 1.0
    gantk.train(gantk.load(run), run, fresh=True, progress=Silent())
    chosen = read_chosen(run)
    assert chosen is not None
    assert (chosen.step, chosen.precision) == (0, "32-true")
    assert read_chosen(Run(tmp_path / "run/old-1")) is not None


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"precision": "8-bit"}', "nonsense", "[" * 9999])
def test_a_damaged_record_is_one_line(content: str, tiny: Build, tmp_path: Path) -> None:
    run = Run(tmp_path / "run")
    model = tiny(settings=AUTO)
    run.create(model.built.spec)
    run.precision_file.write_text(content)
    with pytest.raises(RunError, match=r"precision\.json is damaged \(.*\): remove it, and it is measured again"):
        gantk.train(model, run, progress=Silent())


def test_it_measures(tiny: Build, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the real clock: something is chosen, whatever the machine."""
    measured_anyway(monkeypatch)
    gantk.train(tiny(settings={**AUTO, "stages.game.length": "1 step"}), tmp_path / "run", progress=Silent())
    chosen = read_chosen(Run(tmp_path / "run"))
    assert chosen is not None
    assert chosen.seconds["32-true"] > 0
    assert (chosen.stage, chosen.step, chosen.device) == ("game", 0, "cpu")


def played(monkeypatch: pytest.MonkeyPatch) -> list[Computing]:
    """The ways of the steps that are played to choose one."""
    found: list[Computing] = []
    step = Trials._step

    def kept(self: Trials, way: Computing, *given: Any, **named: Any) -> Callable[[], None]:
        found.append(way)
        return step(self, way, *given, **named)

    monkeypatch.setattr(Trials, "_step", kept)
    return found


@pytest.mark.parametrize(("length", "guesses"), [("29 steps", 0), ("30 steps", 2)])
def test_a_short_training_is_not_measured_and_says_nothing_of_it(
    length: str, guesses: int, tiny: Build, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the setting that every recipe has. Its resume is not measured either, on whatever machine."""
    run, saying, ways = Run(tmp_path / "run"), Saying(), played(monkeypatch)
    model = tiny(data="digits", settings={"stages.game.length": length})
    assert model.built.spec["train"]["precision"] == "auto"
    gantk.train(model, run, progress=saying, stop_when=lambda step, figures: True)
    assert len(ways) == guesses
    assert not any("precision" in text for text in saying.said)
    assert "precision: 32-true, since the training is too short to measure others" in run_text(run)
    never(monkeypatch)
    gantk.train(gantk.load(run), run, progress=Silent())


def test_what_was_too_short_is_measured_when_it_is_made_longer(
    tiny: Build, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, saying = Run(tmp_path / "run"), Saying()
    gantk.train(tiny(data="digits", settings={"stages.game.length": "1 step"}), run, progress=saying)
    measured_anyway(monkeypatch)
    monkeypatch.setattr(
        "gantk.training.computing.times", lambda ways, *_, **__: {way: [1 / len(str(way))] for way in ways}
    )
    gantk.train(gantk.load(run), run, settings={"stages.game.length": "2 steps"}, progress=saying)
    (line,) = [text for text in saying.said if text.startswith("precision: ")]
    assert line.endswith("of stage 'game', cpu, at step 1")
    never(monkeypatch)
    gantk.train(gantk.load(run), run, settings={"stages.game.length": "3 steps"}, progress=Silent())


def test_a_signal_ends_the_measurement(tiny: Build, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits for the rest of it; the next start measures again."""
    measured_anyway(monkeypatch)
    run, ways = Run(tmp_path / "run"), played(monkeypatch)
    step = Trials._step

    def stopped(self: Trials, *given: Any, **named: Any) -> Callable[[], None]:
        if len(ways) == 4:
            signal.raise_signal(signal.SIGINT)
        return step(self, *given, **named)

    monkeypatch.setattr(Trials, "_step", stopped)
    with pytest.raises(Interrupted, match="stopped by SIGINT before the first step"):
        gantk.train(tiny(), run, progress=Silent())
    assert len(ways) == 5
    assert read_chosen(run) is None


@pytest.mark.parametrize(
    ("guess", "most", "expected"),
    [(None, 128, 128), (0.001, 128, 128), (0.01, 128, 50), (0.2, 128, 8), (0.2, 4, 4), (3.0, 128, 2), (0.0, 16, 16)],
)
def test_steps_that_are_measured_are_short(guess: float | None, most: int, expected: int) -> None:
    """Half a second, or eight images, or two of very large ones."""
    assert _affordable(guess, most) == expected
