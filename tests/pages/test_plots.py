"""Curves and strips as Matplotlib figures: what a reader sees in them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

import gantk
from gantk.errors import UsageError

PNG = b"\x89PNG"


def _log(run: Path, lines: list[dict[str, object]]) -> None:
    (run / "log.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A run with a log of two stages."""
    path = tmp_path / "one"
    path.mkdir()
    (path / "model.toml").write_text('recipe = "gantk:game"\n')
    _log(
        path,
        [
            {"step": n, "stage": "pretrain" if n < 3 else "game", "values": {"d/hinge": float(n), "g/hinge": 2.0 * n}}
            for n in range(1, 6)
        ],
    )
    return path


def test_a_run_has_a_panel_for_each_player_with_the_values_of_its_log(run: Path) -> None:
    figure = gantk.plot_curves(run)
    assert [axes.get_title() for axes in figure.axes] == ["d", "g"]
    (curve, stage) = figure.axes[1].lines
    assert list(curve.get_xdata()) == [1, 2, 3, 4, 5]
    assert list(curve.get_ydata()) == [2, 4, 6, 8, 10]
    assert list(stage.get_xdata()) == [3, 3], "a line where the game begins"
    assert [text.get_text() for text in figure.axes[1].texts] == ["game"]


def test_several_runs_are_drawn_over_each_other_by_their_names(run: Path) -> None:
    other = Path(shutil.copytree(run, run.with_name("two $x$")))
    figure = gantk.plot_curves([run, other], values="g")
    (axes,) = figure.axes
    assert axes.get_title() == "g/hinge"
    assert [line.get_label() for line in axes.lines] == ["one", r"two \$x\$"], "dollars are no formula"
    assert len({line.get_color() for line in axes.lines}) == 2
    (legend,) = figure.legends
    assert len(legend.get_texts()) == 2
    assert figure._repr_png_().startswith(PNG)


def test_a_figure_shows_itself_and_pyplot_does_not_know_of_it(run: Path) -> None:
    from matplotlib import pyplot

    figure = gantk.plot_curves(gantk.Run(run))
    assert figure._repr_png_().startswith(PNG)
    assert not pyplot.get_fignums()


def test_a_whole_name_is_that_value_and_a_part_of_names_all_of_them(run: Path) -> None:
    _log(run, [{"step": n, "stage": "game", "values": {"g/vae": 3.0, "g/vae/kl": 1.0, "g/vae2": 2.0}} for n in (1, 2)])
    labels = {
        values: [line.get_label() for line in gantk.plot_curves(run, values).axes[0].lines]
        for values in ("g/vae", "vae", "kl", "g")
    }
    assert labels == {"g/vae": ["vae"], "vae": ["vae", "vae/kl"], "kl": ["vae/kl"], "g": ["vae", "vae/kl", "vae2"]}


def test_a_value_that_nobody_logged_is_one_line_with_the_nearest(run: Path) -> None:
    with pytest.raises(UsageError, match=r"nobody logged 'g/hing'; there are d/hinge, g/hinge\. .*g/hinge"):
        gantk.plot_curves(run, values="g/hing")


def test_a_run_that_logged_nothing_is_told_to_train(run: Path) -> None:
    (run / "log.jsonl").unlink()
    with pytest.raises(UsageError, match="nothing was logged so far: train"):
        gantk.plot_curves(run)


@pytest.mark.slow
def test_a_real_run_and_its_comparison_are_drawn(trained: Path) -> None:
    assert {"discriminator", "generator", "images per second"} <= {
        a.get_title() for a in gantk.plot_curves(trained).axes
    }
    scores = gantk.compare([trained]).plot()
    assert [axes.get_title() for axes in scores.axes] == [
        f"prdc/{name} ↑" for name in ("precision", "recall", "density", "coverage")
    ]
    assert scores._repr_png_().startswith(PNG)
    assert [axes.get_title() for axes in gantk.compare([trained]).plot("recall").axes] == ["prdc/recall ↑"]


@pytest.fixture(scope="module")
def model() -> gantk.Model:
    from gantk.construct import construct

    generator = construct("generator", "dcgan:width=4", image_shape=(1, 16, 12), noise_dim=3)
    return gantk.Model(construct("noise", "gaussian:dim=3"), generator)


def test_strips_are_the_images_between_the_points(model: gantk.Model) -> None:
    (axes,) = gantk.plot_interpolation(model, rows=2, steps=5, seed=3).axes
    pixels = np.asarray(axes.images[0].get_array())
    assert pixels.shape == (2 * 18 + 2, 5 * 14 + 2)
    ends = model.generate(model.sample_noise(4, seed=3))
    shown = [pixels[2:18, 2:14], pixels[2:18, 58:70], pixels[20:36, 2:14], pixels[20:36, 58:70]]
    for end, there in zip(ends, shown, strict=True):
        assert np.abs((end[0].numpy() + 1) * 127.5 - there).max() <= 1
    assert [text.get_text() for text in axes.get_xticklabels()] == ["0", "0.25", "0.5", "0.75", "1"]


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"path": "spherica"}, "there is no path 'spherica'; there are linear, spherical.*spherical"),
        ({"steps": 1}, "at least 1 row and 2 steps, not 4 and 1"),
        ({"rows": 0}, "at least 1 row and 2 steps, not 0 and 10"),
    ],
)
def test_strips_that_cannot_be_are_one_line(model: gantk.Model, asked: dict[str, object], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        gantk.plot_interpolation(model, **asked)
