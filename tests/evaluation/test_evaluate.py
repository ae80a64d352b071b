"""gantk.evaluate: what is measured of which images, what is written down, and what is not computed again."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
import toys
from PIL import Image

import gantk
from gantk.data import ArraySource, to_uint8
from gantk.errors import FitError, OptionError, RunError, UsageError
from gantk.evaluation.entries import found_entries
from gantk.evaluation.scores import read_scores
from gantk.measures import Comparison


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GANTK_CACHE", str(tmp_path / "cache"))
    toys.MeanGap.computed = 0


@pytest.fixture
def toy_metrics(register: Callable[[str, str, type], None]) -> None:
    """The metrics of tests under names that no package has."""
    for name, part in (
        ("mean-gap", toys.MeanGap),
        ("brightness", toys.Brightness),
        ("greedy", toys.Greedy),
        ("agreement", toys.Agreement),
        ("held-out-size", toys.HeldOutSize),
        ("toy-costly", toys.Costly),
    ):
        register("metric", name, part)
    register("extractor", "two", toys.Two)


@pytest.fixture
def run(tiny, tmp_path: Path, toy_metrics: None) -> gantk.Run:
    """A trained run with checkpoints of the steps 2, 4 and 6; its data are given from Python."""
    gantk.train(tiny(), tmp_path / "run")
    return gantk.Run(tmp_path / "run")


def test_a_score_is_that_of_the_samples_and_the_data(run: gantk.Run, images: ArraySource) -> None:
    (score,) = gantk.evaluate(run, metrics="mean-gap:scale=2", extractor="two", n=30, data=images)
    sample = to_uint8(gantk.load(run).sample(30, seed=0))
    with torch.no_grad():
        real, made = (toys.Two()(each.float() / 127.5 - 1).mean(0) for each in (images.images(range(40)), sample))
    assert score.figures["gap"] == pytest.approx(2 * float((real - made).square().sum()), rel=1e-5)
    assert (score.metric, score.options, score.name) == ("gantk:mean-gap", {"scale": 2.0}, "mean-gap:scale=2")
    protocol = score.protocol
    assert (protocol.real.images, protocol.real.of, protocol.real.subset_seed) == (40, 40, None)
    assert (protocol.generated.images, protocol.generated.seed, protocol.generated.step) == (30, 0, 6)
    assert protocol.generated.averaged is False
    assert protocol.features is not None
    assert (protocol.features.extractor, protocol.features.dim) == ("two", 2)
    assert {"gantk", "torch", "python"} <= protocol.versions.keys()
    assert read_scores(run.path / "metrics.json") == [score]


def test_what_is_there_is_not_computed_again(run: gantk.Run, images: ArraySource) -> None:
    def computed(**changed: object) -> int:
        toys.MeanGap.computed = 0
        usual = {"metrics": "mean-gap", "extractor": "two", "n": 20, "data": images}
        gantk.evaluate(run, **{**usual, **changed})
        return toys.MeanGap.computed

    assert computed() == 1
    assert computed() == 0
    same = ArraySource(images.images(range(40)).clone(), images.labels(range(40)), ("across", "along"))
    assert computed(data=same) == 0, "the same images under another name"
    other = images.images(range(40)).clone()
    other[0, 0, 0, 0] ^= 1
    assert computed(data=other) == 1, "one bit is another"
    for changed in ({"n": 21}, {"real": 30}, {"extractor": "pixels"}, {"metrics": "mean-gap:scale=3"}, {"step": 4}):
        assert computed(**changed) == 1, changed
        assert computed(**changed) == 0, changed
    assert computed(seeds=3) == 2, "that of seed 0 is there"
    assert computed(again=True) == 1
    before = len(read_scores(run.path / "metrics.json"))
    assert computed(again=True) == 1
    assert len(read_scores(run.path / "metrics.json")) == before


def test_what_was_finished_before_an_interruption_stays(run: gantk.Run, images: ArraySource) -> None:
    class Stopped(gantk.Metric):
        def compute(self, comparison: Comparison) -> dict[str, float]:
            raise KeyboardInterrupt

    chosen = ["mean-gap", Stopped, "brightness"]
    with pytest.raises(KeyboardInterrupt):
        gantk.evaluate(run, metrics=chosen, extractor="two", n=20, data=images)
    assert [score.name for score in read_scores(run.path / "metrics.json")] == ["mean-gap:scale=1"]
    toys.MeanGap.computed = 0
    found = gantk.evaluate(run, metrics=["mean-gap", "brightness"], extractor="two", n=20, data=images)
    assert toys.MeanGap.computed == 0
    assert [score.name for score in found] == ["mean-gap:scale=1", "brightness"]


def test_code_from_python_is_computed_every_time(run: gantk.Run, images: ArraySource) -> None:
    """Nobody can tell whether a class of the same name still does the same."""

    def one(model: gantk.Model) -> float:
        return 1.0

    (first,) = gantk.evaluate(run, metrics=one, n=5, data=images)

    def two(model: gantk.Model) -> float:
        return 2.0

    two.__name__ = "one"
    (second,) = gantk.evaluate(run, metrics=two, n=5, data=images)
    assert (first.figures, second.figures) == ({"one": 1.0}, {"one": 2.0})


def test_every_checkpoint_and_every_seed(run: gantk.Run, images: ArraySource) -> None:
    found = gantk.evaluate(
        run, metrics=["mean-gap", "brightness"], n=8, step="all", seeds=2, data=images, extractor="two"
    )
    places = [(s.protocol.generated.step, s.protocol.generated.seed, s.name.partition(":")[0]) for s in found]
    names = ("mean-gap", "brightness")
    assert places == [(step, seed, name) for step in (2, 4, 6) for seed in (0, 1) for name in names]
    assert len({score.protocol.generated.weights for score in found}) == 3
    assert len({score.figures["generated"] for score in found if score.name == "brightness"}) == 6
    assert found.figures()["brightness/real"] == pytest.approx(float(images.images(range(40)).float().mean()))


def test_usual_metrics_leave_out_what_cannot_be_computed(run: gantk.Run, images: ArraySource) -> None:
    found = gantk.evaluate(run, extractor="two", n=20, data=images)
    names = {score.metric for score in found}
    assert {"gantk:mean-gap", "gantk:brightness"} <= names
    assert found.left_out["greedy"].startswith("it needs 1,000,000 images of each side")
    assert "generated images" in found.left_out["agreement"]
    assert "the data set" in found.left_out["held-out-size"]
    assert "takes long; name it with --metrics toy-costly" in found.left_out["toy-costly"]
    with pytest.raises(FitError, match="metric greedy: it needs 1,000,000 images of each side"):
        gantk.evaluate(run, metrics=["mean-gap", "greedy"], extractor="two", n=20, data=images, again=True)
    assert gantk.evaluate(run, metrics="toy-costly", extractor="two", n=20, data=images)


def test_an_extractor_that_cannot_be_made_is_told_of_once(
    run: gantk.Run, images: ArraySource, toy_metrics: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("GANTK_DATA", raising=False)
    with pytest.raises(UsageError, match=r"^extractor 'classifier:data=cifar10': cifar10: no data folder is set"):
        gantk.evaluate(run, extractor="classifier:data=cifar10", n=20, data=images)
    assert gantk.evaluate(run, metrics="brightness", extractor="classifier:data=cifar10", n=20, data=images), "not read"


def test_a_function_of_two_arguments_is_no_metric(run: gantk.Run, images: ArraySource) -> None:
    with pytest.raises(OptionError, match=r"its arguments are real, fake, but a function that is a metric takes one"):
        gantk.evaluate(run, metrics=lambda real, fake: 0.0, n=20, data=images)


def save(folder: Path, pictures: torch.Tensor, labels: list[str] | None = None) -> Path:
    for index, picture in enumerate(pictures):
        place = folder / labels[index] if labels else folder
        place.mkdir(parents=True, exist_ok=True)
        Image.fromarray(picture[0].numpy()).save(place / f"{index:04d}.png")
    return folder


def test_images_of_any_other_program(images: ArraySource, tmp_path: Path, toy_metrics: None) -> None:
    pictures = images.images(range(40))
    folder = save(tmp_path / "other", pictures)
    gap, bright = gantk.evaluate(str(folder), metrics=["mean-gap", "brightness"], extractor="two", data=images)
    assert gap.figures["gap"] == pytest.approx(0, abs=1e-9), "the same images in files"
    assert bright.figures["real"] == bright.figures["generated"]
    assert (gap.protocol.generated.seed, gap.protocol.generated.weights) == (None, "")
    assert read_scores(tmp_path / "other.metrics.json") == [gap, bright]
    (entry,) = found_entries([tmp_path])
    assert (Path(entry.name).name, len(entry.scores)) == ("other.metrics.json", 2), "found in the folder around it"
    (few,) = gantk.evaluate(str(folder), metrics="brightness", data=images, n=10)
    assert few.protocol.generated.images == 10
    Image.fromarray(255 - pictures[0, 0].numpy()).save(folder / "0000.png")
    (changed,) = gantk.evaluate(str(folder), metrics="brightness", data=images)
    assert changed.figures["generated"] != bright.figures["generated"], "measured anew, as a file is another"


def test_a_folder_with_a_split_says_which_part_is_evaluated(
    images: ArraySource, tmp_path: Path, toy_metrics: None
) -> None:
    folder = save(tmp_path / "other", images.images(range(6)), ["train"] * 4 + ["test"] * 2)
    found = gantk.evaluate(str(folder), metrics="brightness", data=images)
    (remark,) = found.remarks
    assert "its 4 images of split=train are evaluated, the 2 of" in remark
    assert found[0].protocol.generated.images == 4


def test_class_folders_are_labels_by_their_names(images: ArraySource, tmp_path: Path, toy_metrics: None) -> None:
    labels = images.labels(range(40))
    assert labels is not None
    swapped = ArraySource(images.images(range(40)), 1 - labels.numpy(), ("along", "across"))
    order = np.argsort(labels.numpy(), kind="stable")
    names = [("across", "along")[int(labels[index])] for index in order]
    folder = save(tmp_path / "classes", images.images(order), names)
    sorted_data = ArraySource(images.images(order), labels.numpy()[order], ("across", "along"))
    for data in (sorted_data, ArraySource(swapped.images(order), 1 - labels.numpy()[order], ("along", "across"))):
        (score,) = gantk.evaluate(str(folder), metrics="agreement", data=data)
        assert score.figures["share"] == 1.0, "classes are matched by name, and not by number"
    strange = ArraySource(images.images(range(40)), labels, ("a", "b"))
    with pytest.raises(FitError, match=r"metric agreement: .*generated images"):
        gantk.evaluate(str(folder), metrics="agreement", data=strange)


def test_a_model_and_arrays(tiny, images: ArraySource, toy_metrics: None) -> None:
    model = tiny()
    (score,) = gantk.evaluate(model, metrics="brightness", n=8)
    assert score.protocol.generated.step is None
    assert score.figures["generated"] == pytest.approx(float(to_uint8(model.sample(8, seed=0)).float().mean()))
    (score,) = gantk.evaluate(np.zeros((4, 1, 14, 14), dtype=np.uint8), metrics="brightness", data=images)
    assert score.figures["generated"] == 0


def test_what_cannot_be_asked(run: gantk.Run, images: ArraySource, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="the real images are missing"):
        gantk.evaluate(run, metrics="brightness")
    with pytest.raises(UsageError, match="metric 'brightness' is given twice"):
        gantk.evaluate(run, metrics=["brightness", "brightness"], data=images)
    with pytest.raises(UsageError, match=r"there is no metric 'brigtness'\. Did you mean 'brightness'"):
        gantk.evaluate(run, metrics="brigtness", data=images)
    with pytest.raises(FitError, match=r"\[1, 14, 14\], those of digits \[1, 28, 28\].*: convert one of them"):
        gantk.evaluate(run, metrics="brightness", data="digits")
    with pytest.raises(UsageError, match="has no checkpoint of step 5"):
        gantk.evaluate(run, metrics="brightness", data=images, step=5)
    with pytest.raises(UsageError, match="images have no steps"):
        gantk.evaluate(images, metrics="brightness", data=images, step=5)
    with pytest.raises(UsageError, match="have no seeds"):
        gantk.evaluate(images, metrics="brightness", data=images, seeds=2)
    with pytest.raises(RunError, match="did you mean"):
        gantk.evaluate(str(tmp_path / "rum"), metrics="brightness", data=images)
    (run.path / "metrics.json").write_text("[3]")
    with pytest.raises(RunError, match=r"metrics\.json is damaged"):
        gantk.evaluate(run, metrics="brightness", data=images)


def test_images_are_the_same_bytes_whatever_the_batch(tiny, images: ArraySource) -> None:
    from gantk.evaluation.views import Drawn

    model = tiny()
    drawn = Drawn(model, 70, 3)
    assert torch.equal(drawn.images(range(70)), to_uint8(model.sample(70, seed=3)))
    assert torch.equal(drawn.images([69, 0]), drawn.images(range(70))[[69, 0]])
