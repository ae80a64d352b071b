"""`gantk.show` and `gantk.Run`: what a notebook draws of images and reads of a run."""

from __future__ import annotations

import base64
import io
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import gantk
from gantk.data import ArraySource
from gantk.errors import UsageError
from gantk.training.progress import Silent


def test_a_models_images_become_one_picture() -> None:
    images = torch.linspace(-1, 1, 4 * 1 * 5 * 6).view(4, 1, 5, 6)
    shown = gantk.show(images)
    assert (shown.mode, shown.size) == ("L", (2 * 8 + 2, 2 * 7 + 2))
    assert np.asarray(shown)[2, 2] == 0
    assert gantk.show(images, columns=4).size == (4 * 8 + 2, 7 + 2)
    assert np.array_equal(np.asarray(gantk.show(images.numpy())), np.asarray(shown))
    assert np.array_equal(np.asarray(gantk.show(list(images))), np.asarray(shown))


@pytest.mark.parametrize(
    "one",
    [
        torch.zeros(3, 5, 6),
        np.zeros((3, 5, 6), dtype=np.float32),
        np.full((1, 5, 6, 3), 127, dtype=np.uint8),
        torch.full((3, 5, 6), 127, dtype=torch.uint8),
        Image.new("RGB", (6, 5), (127, 127, 127)),
        [Image.new("RGB", (6, 5), (127, 127, 127))],
    ],
    ids=["tensor", "array", "channels last", "bytes", "Pillow", "list"],
)
def test_one_image_of_any_kind(one: object) -> None:
    shown = gantk.show(one)
    assert (shown.mode, shown.size) == ("RGB", (10, 9))
    assert abs(int(np.asarray(shown)[4, 4, 0]) - 127) <= 1


def test_a_data_source_is_shown_by_its_first_images(images: ArraySource) -> None:
    assert np.asarray(gantk.show(images)).shape == (6 * 16 + 2, 7 * 16 + 2)


def test_nothing_to_show_is_said() -> None:
    with pytest.raises(UsageError, match="at least one image"):
        gantk.show(torch.empty(0, 3, 8, 8))
    with pytest.raises(UsageError, match="1 to 4 channels"):
        gantk.show(torch.zeros(2, 7, 8, 8))


def test_a_run_gives_its_log_its_samples_and_its_checkpoints(tiny: Callable[..., gantk.Model], tmp_path: Path) -> None:
    run, model = gantk.Run(tmp_path / "run"), tiny()
    run.create(model.built.spec)
    assert (run.log, run.samples, run.checkpoints) == ({}, [], [])
    gantk.train(model, run, progress=Silent())
    assert run.log["step"].tolist() == [2, 4, 6]
    assert run.log["stage"].tolist() == ["game"] * 3
    assert np.isfinite(run.log["generator/nonsaturating"]).all()
    assert [path.name for path in run.samples] == ["step-0000003.png", "step-0000006.png"]
    assert [path.name for path in run.checkpoints] == [f"step-{step:07d}" for step in (2, 4, 6)]
    assert "data:image/png" in run._repr_html_()


def test_what_is_measured_at_another_step_is_a_row_of_its_own() -> None:
    from gantk.run.entries import columns

    rows = [
        {"step": 1, "values": {"a": 1.0}},
        {"step": 2, "values": {"measure/b": 5.0}},
        {"step": 2, "stage": "game", "values": {"a": 2.0}},
    ]
    found = columns(rows)
    assert found["step"].tolist() == [1, 2]
    assert np.array_equal(found["a"], [1.0, 2.0])
    assert np.array_equal(found["measure/b"], [np.nan, 5.0], equal_nan=True)


def test_construct_is_a_function_and_a_module() -> None:
    from gantk.construct import construct

    assert gantk.construct("noise", "gaussian:dim=4").dim == construct("noise", "gaussian:dim=4").dim == 4


def _picture_in(html: str | None) -> Image.Image:
    found = re.search(r'<img src="data:image/png;base64,([^"]+)">', html or "")
    assert found, html
    return Image.open(io.BytesIO(base64.b64decode(found[1])))


def test_a_model_shows_its_title_and_the_same_samples_each_time(tiny: Callable[..., gantk.Model]) -> None:
    model = tiny()
    torch.manual_seed(5)
    html = model._repr_html_()
    drawn = torch.rand(3)
    torch.manual_seed(5)
    assert torch.equal(torch.rand(3), drawn), "showing a model draws nothing from torch's own random numbers"
    assert model._repr_html_() == html
    expected = gantk.show(model.sample(16, seed=0), columns=8)
    assert np.array_equal(np.asarray(_picture_in(html)), np.asarray(expected))


def test_a_model_that_was_assembled_by_hand_shows_itself_too() -> None:
    model = gantk.Model(lambda n: torch.rand(n, 4), lambda noise: noise.view(-1, 1, 2, 2) * 2 - 1)
    html = model._repr_html_()
    assert html is not None
    assert html.startswith("<code>gantk.Model</code>")
    assert _picture_in(html).mode == "L"


def test_a_model_of_images_that_are_no_pictures_is_shown_as_text() -> None:
    model = gantk.Model(lambda n: torch.rand(n, 20), lambda noise: noise.view(-1, 5, 2, 2) * 2 - 1)
    assert model._repr_html_() is None
