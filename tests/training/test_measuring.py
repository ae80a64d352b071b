"""Metrics in training: the best checkpoint is kept, a collapse is told, and what cannot be measured is refused."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, ClassVar, Literal

import pytest
from logged import column

import gantk
from gantk import Metric
from gantk.errors import FitError, OptionError, RunError
from gantk.measures import Comparison
from gantk.run.entries import read_log
from gantk.run.folder import Run
from gantk.training.curves import Curves
from gantk.training.progress import Silent

Build = Callable[..., gantk.Model]
EVERY_STEP = {"train.measure_every": 1, "train.keep": 1, "train.checkpoint_every": 1}


class Scripted(Metric):
    """Says of step k what is written down for it."""

    needs = frozenset[str]()
    better: ClassVar[Mapping[str, Literal["lower", "higher"]]] = {"distance": "lower", "coverage": "higher"}
    collapses: ClassVar[Mapping[str, float]] = {"coverage": 0.5}
    distances: ClassVar[list[float]] = [5.0, 3.0, 4.0, 2.0, 6.0, 6.0]
    coverages: ClassVar[list[float]] = [0.5, 0.8, 0.3, 0.35, 0.6, 0.1]
    asked = 0

    def compute(self, comparison: Comparison) -> Mapping[str, float]:
        at = Scripted.asked % 6
        Scripted.asked += 1
        return {"distance": self.distances[at], "coverage": self.coverages[at]}


class Greedy(Scripted):
    """Wants more images than there are."""

    needs = frozenset({"features"})

    def least(self, comparison: Comparison) -> int:
        return 1000


class Counting(Metric):
    """How many images are compared, by how many features, and which."""

    needs = frozenset({"features"})

    def compute(self, comparison: Comparison) -> Mapping[str, float]:
        features = comparison.generated.features
        return {"images": float(len(features)), "features": float(features.shape[1]), "mean": float(features.mean())}


class Heard(Silent):
    """Keeps what is said."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []

    def say(self, text: str) -> None:
        self.lines.append(text)


@pytest.fixture(autouse=True)
def toys(register: Callable[[str, str, type], None]) -> None:
    Scripted.asked = 0
    register("metric", "scripted", Scripted)
    register("metric", "greedy", Greedy)
    register("metric", "counting", Counting)


def trained(tiny: Build, run: Path, **settings: Any) -> list[str]:
    heard = Heard()
    gantk.train(tiny(metric="scripted", settings={**EVERY_STEP, **settings}), run, progress=heard)
    return heard.lines


def test_the_best_checkpoint_is_kept_beside_the_newest(tiny: Build, tmp_path: Path) -> None:
    lines = trained(tiny, tmp_path / "run", **{"train.keep_best": "scripted/distance"})
    run = gantk.Run(tmp_path / "run")
    assert run.steps() == [4, 6]
    assert run.best() == {"step": 4, "figure": "scripted/distance", "value": 2.0}
    assert lines[-1].startswith("best scripted/distance: 2 at step 4, of 6 measurements; kept in ")
    assert gantk.load(run, step=4)


def test_a_figure_can_stop_a_training_which_is_saved_and_resumes(tiny: Build, tmp_path: Path) -> None:
    asked: list[int] = []

    def low(step: int, figures: Mapping[str, float]) -> bool:
        asked.append(step)
        return figures["measure/scripted/distance"] < 3.5

    built, run = tiny(metric="scripted", settings={**EVERY_STEP, "train.checkpoint_every": 100}), tmp_path / "run"
    gantk.train(built, run, progress=Silent(), stop_when=low)
    assert asked == [1, 2]
    assert gantk.Run(run).steps() == [2]
    gantk.train(built, run, progress=Silent(), stop_when=lambda step, figures: False)
    assert column(run, "measure/scripted/distance") == [5.0, 3.0, 4.0, 2.0, 6.0, 6.0]


def test_training_stops_where_a_figure_gets_no_better_and_trains_on_where_it_is_told_to(
    tiny: Build, tmp_path: Path
) -> None:
    lines = trained(tiny, tmp_path / "run", **{"train.keep_best": "scripted/distance", "train.patience": 1})
    run = gantk.Run(tmp_path / "run")
    assert (run.steps(), run.best()["step"]) == ([2, 3], 2)  # type: ignore[index]
    assert (
        "stopped at step 3 after 1 measurement of scripted/distance without a better one; train on with: " in lines[-2]
    )
    built = gantk.load(run, data=tiny().built.data)
    gantk.train(built, run, progress=Silent())
    assert run.steps()[-1] == 5, "2 at step 4 is better, 6 at step 5 is not"
    gantk.train(built, run, progress=Silent(), settings={"train.patience": 0})
    assert column(tmp_path / "run", "measure/scripted/distance") == Scripted.distances
    with pytest.raises(OptionError, match=r"patience counts measurements .*: set train\.keep_best"):
        tiny(settings={"train.patience": 2})


def test_a_training_that_ends_with_its_patience_was_not_cut_short(tiny: Build, tmp_path: Path) -> None:
    settings = {"train.keep_best": "scripted/distance", "train.patience": 1, "stages.game.length": "3 steps"}
    assert not any("stopped" in line for line in trained(tiny, tmp_path / "run", **settings))


def test_higher_can_be_better_and_a_best_checkpoint_is_written_when_none_is_due(tiny: Build, tmp_path: Path) -> None:
    trained(tiny, tmp_path / "run", **{"train.keep_best": "scripted/coverage", "train.checkpoint_every": 100})
    run = gantk.Run(tmp_path / "run")
    assert (run.steps(), run.best()) == ([2, 6], {"step": 2, "figure": "scripted/coverage", "value": 0.8})


def test_a_resumed_training_knows_the_best(tiny: Build, tmp_path: Path) -> None:
    where = {"train.keep_best": "scripted/distance", "stages.game.length": "4 steps"}
    trained(tiny, tmp_path / "run", **where)
    heard = Heard()
    Scripted.asked = 4
    gantk.train(
        gantk.load(tmp_path / "run", data=tiny().built.data),
        tmp_path / "run",
        progress=heard,
        settings={"stages.game.length": "6 steps"},
    )
    assert gantk.Run(tmp_path / "run").steps() == [4, 6]
    assert "of 6 measurements" in heard.lines[-1]


def test_without_it_the_newest_are_kept(tiny: Build, tmp_path: Path) -> None:
    trained(tiny, tmp_path / "run")
    assert (gantk.Run(tmp_path / "run").steps(), gantk.Run(tmp_path / "run").best()) == ([6], None)


def test_a_collapse_is_told_once_and_again_after_a_recovery(tiny: Build, tmp_path: Path) -> None:
    warnings = [line for line in trained(tiny, tmp_path / "run") if "warning" in line]
    assert warnings == [
        "step 3: warning: scripted/coverage fell to 0.3 from 0.8 at step 2: the generator may collapse",
        "step 6: warning: scripted/coverage fell to 0.1 from 0.8 at step 2: the generator may collapse",
    ]


def test_figures_are_logged_by_metric_and_figure(tiny: Build, tmp_path: Path) -> None:
    trained(tiny, tmp_path / "run")
    assert column(tmp_path / "run", "measure/scripted/distance") == Scripted.distances


def test_every_so_many_steps_of_the_run_and_after_the_last_of_a_stage(tiny: Build, tmp_path: Path) -> None:
    settings = {"train.measure_every": 4, "stages.*.length": "5 steps"}
    model = tiny(noise="de:dim=6,autoencoder='vae:width=4'", metric="scripted", settings=settings)
    asked: list[int] = []
    gantk.train(model, tmp_path / "run", progress=Silent(), stop_when=lambda step, figures: asked.append(step))  # type: ignore[arg-type,func-returns-value]
    lines = read_log(tmp_path / "run" / "log.jsonl")
    measured = [(e["step"], e["stage"], e["stage_step"]) for e in lines if "measure/scripted/distance" in e["values"]]
    assert measured == [(4, "pretrain", 4), (5, "pretrain", 5), (8, "game", 3), (10, "game", 5)]
    assert asked == [4, 5, 8, 10]


def test_as_many_images_are_compared_by_such_features_as_is_set(tiny: Build, tmp_path: Path) -> None:
    """Of noise that depends on the run's seed."""
    found: list[list[float]] = []
    for seed, extractor in ((0, "pixels"), (1, "pixels"), (0, "pixels:size=2")):
        settings = {"train.measure_samples": 7, "train.measure_every": 3, "train.extractor": extractor}
        run = tmp_path / str(len(found))
        gantk.train(tiny(metric="counting", seed=seed, settings=settings), run, progress=Silent())
        found.append([column(run, f"measure/counting/{name}") for name in ("images", "features", "mean")])
    plain, other, averaged = found
    assert plain[:2] == other[:2] == [[7.0, 7.0], [14.0 * 14, 14.0 * 14]]
    assert averaged[:2] == [[7.0, 7.0], [2.0 * 2, 2.0 * 2]]
    assert plain[2] != other[2]


def test_a_figure_that_ranks_nothing_is_refused_at_build(tiny: Build) -> None:
    with pytest.raises(OptionError, match=r"no score 'scripted/distanc'.*Did you mean 'scripted/distance'"):
        tiny(metric="scripted", settings={"train.keep_best": "scripted/distanc"})
    with pytest.raises(OptionError, match="add one with --metric"):
        tiny(settings={"train.keep_best": "scripted/distance"})


def test_a_figure_that_there_is_not_is_refused_before_a_run_changes(tiny: Build, tmp_path: Path) -> None:
    run = Run(tmp_path / "run")
    gantk.train(tiny(data="digits"), run, progress=Silent())
    before = run.model_toml.read_bytes()
    for wrong in ({"train.keep_best": "scripted/distance"}, {"train.keep_best": "prdc/coverage", "train.patience": 2}):
        with pytest.raises(OptionError, match="there is no score"):
            gantk.train(gantk.load(run), run, settings=wrong, progress=Silent())
    assert run.model_toml.read_bytes() == before


def test_a_metric_that_lacks_images_is_refused_before_the_first_step(tiny: Build, tmp_path: Path) -> None:
    with pytest.raises(FitError, match=r"metric 'greedy': it needs 1,000 images .*train\.measure_samples"):
        gantk.train(tiny(metric="greedy"), tmp_path / "run", progress=Silent())
    assert not gantk.Run(tmp_path / "run").log_file.exists()


def coverage(value: float) -> dict[str, float]:
    return {"measure/scripted/coverage": value}


def test_what_is_as_good_as_an_earlier_one_is_no_better(tiny: Build, tmp_path: Path) -> None:
    run = gantk.Run(tmp_path)
    run.checkpoint(1).mkdir(parents=True)
    curves = Curves(run, tiny(metric="scripted"), "scripted/coverage", patience=2)
    assert not curves.is_best({}), "nothing was measured"
    assert not curves.is_best(coverage(math.nan))
    found = []
    for step, value in enumerate((0.5, 0.5, 0.5), 1):
        if best := curves.is_best(coverage(value)):
            curves.keep(step, coverage(value))
        curves.add(step, coverage(value), "game")
        found.append((best, curves.exhausted))
    assert found == [(True, False), (False, False), (False, True)]
    assert curves.said().startswith("best scripted/coverage: 0.5 at step 1, of 3 measurements")


def test_patience_is_for_the_last_stage(tiny: Build, tmp_path: Path) -> None:
    model = tiny(noise="de:dim=6,autoencoder='vae:width=4'", metric="scripted")
    curves = Curves(gantk.Run(tmp_path), model, "scripted/coverage", patience=1)
    found = []
    for step, (stage, value) in enumerate([("pretrain", 0.9), ("pretrain", 0.1), ("game", 0.2), ("game", 0.1)]):
        curves.add(step, coverage(value), stage)
        found.append(curves.exhausted)
    assert found == [False, False, False, True]


def test_the_best_by_another_figure_is_not_the_best(tiny: Build, tmp_path: Path) -> None:
    run, model = gantk.Run(tmp_path), tiny(metric="scripted")
    run.checkpoint(3).mkdir(parents=True)
    Curves(run, model, "scripted/distance").keep(3, {"measure/scripted/distance": 0.1})
    curves = Curves(run, model, "scripted/coverage")
    assert curves.said() == ""
    assert curves.is_best(coverage(0.05))


def test_a_damaged_note_of_the_best_is_one_line(tiny: Build, tmp_path: Path) -> None:
    trained(tiny, tmp_path / "run", **{"train.keep_best": "scripted/distance"})
    run = gantk.Run(tmp_path / "run")
    run.best_file.write_text(json.dumps({"step": "four"}))
    with pytest.raises(RunError, match=r"best\.json is damaged"):
        run.best()
