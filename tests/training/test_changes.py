"""Settings that change within a run: what is possible and what is said, and which were valid at an earlier step."""

from __future__ import annotations

import shutil
import signal
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

import gantk
from gantk import Player, Stage
from gantk.errors import DataError, Interrupted, UsageError
from gantk.run.checkpoints import Place
from gantk.run.entries import read_log
from gantk.run.folder import Run
from gantk.run.history import Change, read_history
from gantk.training.changes import change_text, check_data, check_possible, replayed, segments
from gantk.training.progress import Silent

Build = Callable[..., gantk.Model]


def test_what_changed_and_what_it_was() -> None:
    was = {"stages": {"game": {"length": "5 epochs", "d": {"old": 1}}}}
    now = {"stages": {"game": {"length": "9 epochs", "d": {"new": 2}}}}
    assert change_text(was, now) == (
        "stages.game.length = 9 epochs (was 5 epochs); stages.game.d.new = 2; no stages.game.d.old (was 1)"
    )
    assert change_text({}, {"train": {"keep": 3}}) == "train.keep = 3"


def test_a_pattern_that_reaches_a_finished_stage_is_told_which_stages_are_left() -> None:
    before, after = ([Stage(name, [], length) for name in ("a", "b", "c")] for length in ("4 steps", "6 steps"))
    second = Place(stage=1, step=2, total=6)
    with pytest.raises(UsageError) as refused:
        check_possible(before, after, second, images=32)
    assert str(refused.value) == (
        "stages.a.length: stage 'a' is finished and can no longer change: "
        "set stages.b.length and stages.c.length instead."
    )
    with pytest.raises(UsageError, match=r"can no longer change\.$"):
        check_possible(before, [after[0], *before[1:]], second, images=32)
    check_possible(before, [before[0], *after[1:]], second, images=32)


def nothing(step: object) -> Mapping[str, torch.Tensor]:
    return {}


def game(length: str = "10 steps", batch_size: int = 8, **settings: Any) -> list[Stage]:
    """One stage of one player, whose optimizer has these settings."""
    own = {name: settings.pop(name) for name in ("repeats", "clip_weights") if name in settings}
    player = Player("g", ("generator",), nothing, optimizer={"optimizer": "sgd", "lr": 0.5, **settings}, **own)
    return [Stage("game", [player], length, batch_size)]


BEGUN = Place(stage=0, step=4, total=4)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        (
            {"batch_size": 4},
            r"stages\.game\.batch_size: stage 'game' has started \(4 steps are done\), .* in batches; --f",
        ),
        ({"repeats": 2}, r"stages\.game\.g\.repeats: .*, so this cannot change: .* in turns; --fresh starts over"),
        ({"optimizer": "adam"}, r"stages\.game\.g\.optimizer: .*the state of one optimizer cannot be used by another"),
        ({"momentum": 0.9}, r"stages\.game\.g\.momentum: .*the state of the optimizer has no values for it"),
        ({"lr": 0.1, "amsgrad": True}, r"stages\.game\.g\.amsgrad: .*the state of the optimizer has no values for it"),
        ({"length": "3 steps"}, r"stages\.game\.length: 3 steps is 3 steps, but 4 are done; use 4 steps or more"),
        ({"length": "24 images"}, r"24 images is 3 steps, but 4 are done"),
    ],
)
def test_what_can_no_longer_change_once_a_stage_has_begun(changed: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        check_possible(game(), game(**changed), BEGUN, images=32)
    check_possible(game(), game(**changed), Place(), images=32)
    check_possible(game(), game(**changed), Place(stage=0, step=0, total=6), images=32)  # after another stage


@pytest.mark.parametrize("changed", [{"lr": 0.1}, {"clip_weights": 0.1}, {"length": "4 steps"}, {"length": "2 epochs"}])
def test_what_can_change_at_any_step(changed: dict[str, Any]) -> None:
    check_possible(game(), game(**changed), BEGUN, images=32)


def test_a_length_that_was_shorter_than_what_is_done_may_stay(tiny: Build) -> None:
    """It is of epochs, and images were taken away since."""
    check_possible(game("1 epoch"), game("1 epoch", lr=0.1), Place(stage=0, step=4, total=4), images=8)


def test_stages_that_are_yet_to_come_can_change() -> None:
    before, after = [*game(), Stage("next", [], "9 steps")], [*game(), Stage("next", [], "1 step", 2)]
    check_possible(before, after, BEGUN, images=32)


def test_data_that_differ_are_told_with_the_way_to_go_on() -> None:
    check_data("", "step 4", "runs/x")
    with pytest.raises(DataError) as caught:
        check_data("there were 3", "step 4", "runs/x")
    assert str(caught.value) == (
        "the data differs from that of step 4: there were 3. "
        "To continue with this data: gantk train runs/x --accept-data; if the data moved: --data PATH."
    )
    with pytest.raises(
        DataError, match=r"there were 3\. To continue with this data: gantk\.train\(…, accept_data=True\)\.$"
    ):
        check_data("there were 3", "step 4", "runs/x", from_python=True)


def lengths(*steps: tuple[int, str, str]) -> list[Change]:
    """Changes of the game's length: step, former length, new length."""
    return [Change(n, {"stages": {"game": {"length": a}}}, {"stages": {"game": {"length": b}}}) for n, a, b in steps]


def test_the_settings_of_a_checkpoint_are_those_before_the_changes_since_then() -> None:
    spec = {"seed": 7, "stages": {"game": {"length": "9 steps"}}}
    changes = [*lengths((2, "3 steps", "6 steps"), (4, "6 steps", "9 steps")), Change(4, {"seed": 0}, {"seed": 7})]
    found = [replayed(spec, changes, step)["stages"]["game"]["length"] for step in (1, 2, 3, 4, 5)]
    assert found == ["3 steps", "3 steps", "6 steps", "6 steps", "9 steps"]
    assert replayed(spec, changes, 0)["seed"] == 7, "only stages are played again as they were"


def test_a_run_that_goes_back_plays_each_part_with_its_own_settings(tiny: Build) -> None:
    model = tiny(settings={"stages.game.length": "9 steps"})
    changes = [*lengths((2, "3 steps", "6 steps"), (4, "6 steps", "9 steps")), Change(3, {"seed": 1}, {"seed": 0})]
    found = segments(model, changes, 0)
    assert [(each.until, each.stages[0].length) for each in found] == [
        (2, "3 steps"),
        (4, "6 steps"),
        (None, "9 steps"),
    ]
    assert [each.spec["stages"]["game"]["length"] for each in found] == ["3 steps", "6 steps", "9 steps"]
    assert found[-1].stages is model.built.stages
    assert {each.spec["seed"] for each in found} == {0}
    assert [each.until for each in segments(model, changes, 2)] == [4, None], "the change at the step itself is made"
    assert [each.until for each in segments(model, changes, 4)] == [None]


class Stopped(Silent):
    """Is asked to stop in the second step of the game."""

    def step(self) -> None:
        super().step()
        if self._stage == "game" and self._done == 2:
            signal.raise_signal(signal.SIGTERM)


def test_a_run_that_goes_back_over_changes_ends_in_the_same_bits(tiny: Build, tmp_path: Path) -> None:
    """Over one in the middle of a stage and one at its end; means in the log continue over them, too."""

    def ended() -> tuple[dict[str, torch.Tensor], list[dict[str, Any]]]:
        logged = [{**entry, "time": 0, "stage_seconds": 0, "images_per_second": 0} for entry in read_log(run.log_file)]
        return load_file(run.latest() / "model.safetensors"), logged

    every = {"train.keep": 99, "train.checkpoint_every": 2, "train.log_every": 5, "stages.pretrain.length": "1 step"}
    run, pretrained = Run(tmp_path / "run"), {"noise": "de:dim=6,autoencoder='vae:width=4'"}
    with pytest.raises(Interrupted):
        gantk.train(tiny(data="digits", settings=every, **pretrained), run, progress=Stopped())
    for settings in ({"stages.game.generator.lr": 0.01}, {"stages.game.length": "9 steps", "stages.game.*.lr": 0.003}):
        gantk.train(gantk.load(run), run, settings=settings, progress=Silent())
    weights, logged = ended()
    assert [change.step for change in read_history(run)] == [3, 7]
    for step in run.steps():
        if step > 1:
            shutil.rmtree(run.checkpoint(step))
    gantk.train(gantk.load(run), run, progress=Silent())
    again, lines = ended()
    assert all(torch.equal(value, again[name]) for name, value in weights.items())
    assert lines == logged
