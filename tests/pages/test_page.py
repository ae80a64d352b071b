"""The page of a run as text: what it says, what it says of what is missing, and what a stranger's run cannot do."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from reported import drawn, made_hostile

import gantk
from gantk import toml
from gantk.errors import RunError, UsageError
from gantk.pages.images import sample_frames
from gantk.run.folder import Run
from gantk.run.lock import locked


def test_a_page_says_everything(trained: Path) -> None:
    page = drawn(trained)
    assert (trained / "report.html").stat().st_size < 5_000_000
    for words in (
        "8 of 8 steps, finished",
        "nonsaturating",
        "init_std = 0.02",
        "real: 40 of 10,000 × digits",
        "compared with all 10,000 training images",
        "no sign that the model has memorized",
        "Gaussian noise",
        "gantk build dcgan --noise gaussian:dim=4",
        "Machine that trained it up to step 8",
        "torch " + torch.__version__,
    ):
        assert words in page.text, words
    assert page.tags.count("svg") == 4
    assert len(page.data["charts"]) >= 7


def test_nothing_is_loaded_and_no_script_but_its_own_may_run(trained: Path) -> None:
    page = drawn(trained)
    loaded = [value for name, value in page.attributes if name in ("src", "href", "srcset", "action", "poster")]
    assert {value[:11] for value in loaded if not value.startswith("#")} == {"data:image/"}
    assert not re.findall(r"url\((?!#)|@import", page.source)
    assert "http://" not in page.text
    policy = next(value for name, value in page.attributes if name == "content" and "default-src" in value)
    assert policy.startswith("default-src 'none'; img-src data:; base-uri 'none'; form-action 'none'; ")
    assert "unsafe" not in policy
    assert not [name for name, _ in page.attributes if name == "style" or name.startswith("on")]


HOSTILE = (
    "<script>alert(1)</script>",
    "\"'><img src=x onerror=alert(1)>",
    "</script><!--<script>",
    "{{ 7 * 7 }}{% raw %}",
    "\u202etxt.exe\u2028x",
)


@pytest.mark.parametrize("text", HOSTILE)
def test_texts_of_a_run_are_text(trained: Path, text: str) -> None:
    usual = drawn(trained)
    page = drawn(made_hostile(trained, text))
    assert page.tags.count("script") == usual.tags.count("script") == 4
    assert not [name for name, _ in page.attributes if name.startswith("on")]
    assert set(page.tags) == set(usual.tags)
    assert "\u202e" not in page.source
    assert "\u2028" not in page.source
    if text.isprintable():
        assert text in page.text
        assert text in json.dumps(page.data, ensure_ascii=False).replace('\\"', '"')


def test_what_is_missing_is_said(tmp_path: Path, tiny) -> None:
    model = tiny()
    run = gantk.Run(tmp_path / "new")
    from gantk.run.checkpoints import create

    create(run, model)
    page = drawn(run.path)
    assert "not trained" in page.text
    assert "Nothing was logged yet." in page.text
    assert "Training has drawn no samples yet." in page.text
    assert "has not been trained yet" in page.text
    assert "It has not been evaluated" in page.text
    assert "given from Python" in page.text


def test_a_data_set_that_has_moved_is_said(trained: Path) -> None:
    toml = trained / "model.toml"
    toml.write_text(
        toml.read_text().replace('plugin = "gantk:digits"', 'plugin = "gantk:folder"\npath = "/gone/photos"')
    )
    page = drawn(trained)
    assert "/gone/photos" in page.text
    assert "Strip 1" in page.source, "everything else is drawn"


def test_damaged_files_are_said(trained: Path) -> None:
    (trained / "metrics.json").write_text("[{}]")
    (trained / "history.toml").write_text("change = 1")
    (trained / "checkpoints" / "step-0000008" / "model.safetensors").write_bytes(b"x")
    with (trained / "log.jsonl").open("a") as log:
        log.write('{"step": 9')
    page = drawn(trained)
    for words in (
        "metrics.json is damaged",
        "history.toml is damaged",
        "1 lines of log.jsonl",
        "is damaged: it has 1 bytes",
        "Step 4, compared",
    ):
        assert words in page.text, words


def test_a_part_that_is_not_installed_is_said(trained: Path) -> None:
    toml = trained / "model.toml"
    toml.write_text(toml.read_text().replace("gantk:gaussian", "gone:gaussian"))
    page = drawn(trained)
    assert "Its parts cannot be built here: " in page.text
    assert "nonsaturating" in page.text
    assert "images per second" in page.text


@pytest.mark.parametrize("path", ["metric", "shape", "shape.images", "shape.image_shape", "stages", "recipe", "train"])
@pytest.mark.parametrize("value", ["5", "[]", "'x'", "{}"])
def test_settings_of_any_kind_leave_a_page(trained: Path, path: str, value: str) -> None:
    """Whatever a damaged `model.toml` says, the curves are there."""
    run = Run(trained)
    *outer, last = path.split(".")
    spec = run.spec()
    table = spec[outer[0]] if outer else spec
    table[last] = toml.loads(f"x = {value}")["x"]
    run.rewrite(spec)
    assert "images per second" in drawn(trained).text


def test_a_run_in_training_is_reported_without_waiting(trained: Path) -> None:
    with locked(Run(trained)):
        page = drawn(trained)
    assert "training now" in page.text
    assert "This run is being trained" in page.text


def test_only_runs_are_reported(tmp_path: Path, trained: Path) -> None:
    with pytest.raises(RunError, match="is not a run"):
        gantk.report(tmp_path / "nothing")
    with pytest.raises(UsageError, match=r"expected NAME\.html"):
        gantk.report(trained, tmp_path / "report.pdf")
    with pytest.raises(UsageError, match="1 to 12 runs, not 0"):
        gantk.report([])
    with pytest.raises(UsageError, match="1 to 12 runs, not 13"):
        gantk.report([trained] * 13)
    assert not (trained / "report.html").exists()


def test_a_checkpoint_and_a_folder_of_runs(trained: Path, tmp_path: Path) -> None:
    assert "Step 4, compared" in drawn(trained / "checkpoints" / "step-0000004").text
    shutil.copytree(trained, tmp_path / "runs" / "a")
    shutil.copytree(trained, tmp_path / "runs" / "b")
    page = drawn(tmp_path / "runs", tmp_path / "all.html")
    assert "2 runs beside each other" in page.text
    assert {each["label"] for chart in page.data["charts"] for each in chart} == {"a", "b"}


def test_many_large_samples_stay_small(tmp_path: Path) -> None:
    run = Run(tmp_path)
    run.rewrite({"seed": 0})
    (tmp_path / "samples").mkdir()
    noise = np.random.default_rng(0).integers(0, 256, (600, 600, 3), dtype=np.uint8)
    for step in range(30):
        Image.fromarray(noise).save(tmp_path / "samples" / f"step-{step:07d}.png")
    frames = sample_frames(run, 1_000_000)
    assert 2 <= len(frames) < 30
    assert sum(len(frame.picture.uri) for frame in frames) <= 1_000_000
    assert (frames[0].step, frames[-1].step) == (0, 29)


def test_the_command_that_rebuilds_it_does(trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import shlex

    from gantk.cli.main import cli
    from gantk.pages.rebuild import rebuilding

    run = Run(trained)
    build, train = rebuilding(run, gantk.load(run))
    monkeypatch.chdir(tmp_path)
    cli.main(shlex.split(build)[1:], standalone_mode=False)
    assert train == "gantk train runs/digits-again"
    assert Run(tmp_path / "runs" / "digits-again").spec() == run.spec()
