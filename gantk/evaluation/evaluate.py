"""`gantk.evaluate`: compute metrics, and save each score as soon as it is finished."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from functools import partial
from pathlib import Path
from typing import Any

import torch

from gantk.asked import count
from gantk.building.construct import part_class
from gantk.errors import BrokenPlugin, FitError, UsageError
from gantk.evaluation.cache import features_folder, trim
from gantk.evaluation.choice import Chosen, context_of, default_metrics, named_metrics
from gantk.evaluation.judged import IMAGES, Judged, Steps, best_device, generated_by, judged
from gantk.evaluation.real import ImageSet, held_out_of, image_set
from gantk.evaluation.scores import Score, add_score, read_scores, scores_file
from gantk.evaluation.sides import Progress, RealSides, Sample
from gantk.evaluation.views import Drawn, Some
from gantk.files import place
from gantk.measures import measure, missing
from gantk.measures.reconstruction import COLORS
from gantk.model import Model
from gantk.options import read_options
from gantk.permissions import as_said_by
from gantk.seeds import check_seed, derive_seed, forked

__all__ = ["Evaluation", "evaluate"]


class Evaluation(list[Score]):
    """The scores of an evaluation, in the order of metrics within seeds within steps.

    Args:
        scores: the scores, including those that existed before.
        left_out: metric → reason why it was not computed.
        remarks: warnings of metrics about their figures, such as that training images were copied.
    """

    def __init__(
        self, scores: Sequence[Score] = (), left_out: dict[str, str] | None = None, remarks: Sequence[str] = ()
    ) -> None:
        super().__init__(scores)
        self.left_out = left_out or {}
        self.remarks = list(remarks)

    def figures(self) -> dict[str, float]:
        """Every figure by `metric/figure`, such as `frechet/distance`: its mean over seeds and steps."""
        found: dict[str, list[float]] = {}
        for score in self:
            for name, value in score.figures.items():
                found.setdefault(f"{score.name}/{name}", []).append(value)
        return {name: sum(values) / len(values) for name, values in found.items()}


def evaluate(
    what: Any,
    *,
    metrics: Any = None,
    extractor: Any = None,
    n: int | None = None,
    step: Steps = None,
    seeds: int | Sequence[int] = 1,
    data: Any = None,
    real: int | None = None,
    refine: bool = True,
    again: bool = False,
    output: str | os.PathLike[str] | None = None,
    progress: Progress | None = None,
) -> Evaluation:
    """Evaluate generated images: how close they are to real ones, how diverse, how new.

    Each score is saved with its protocol in the run's `metrics.json` as soon as it is finished, so that an evaluation
    can be interrupted and resumed; a score with the same protocol is not computed again::

        for score in gantk.evaluate("runs/x", metrics=["frechet", "prdc:k=3"], n=2000):
            print(score.name, score.figures)

    Args:
        what: a run or one of its checkpoints, a model, or images of any origin: a folder, an array, a data source.
        metrics: one or several, each a name with options, or code; by default, the bundled ones that fit the data.
        extractor: the feature extractor, for metrics that do not require a specific one: a name with options, or code;
            by default, a classifier of the data set's classes, else one of ImageNet, else pixels.
        n: number of generated images, by default 10,000; for given images, the size of a random subset, by default all.
        step: the step of a run's checkpoint, or `"all"`; by default the newest.
        seeds: number of samples, drawn with the seeds 0, 1, …; or the seeds.
        data: the real images, as for `gantk.build`; by default, those that the model was trained on.
        real: size of a random subset of the real images to compare with; by default all.
        refine: whether to apply the refiner, if the model has one.
        again: whether to compute existing scores again.
        output: the file for the scores, by default the run's `metrics.json`, or `NAME.metrics.json` beside a folder or
            zip of images.
        progress: receives a description of the current work and its finished fraction.

    Returns:
        the scores, and the reasons for metrics that were left out.

    Raises:
        UsageError: there is no such thing as was named, or a named metric cannot be computed for these images.
        DataError, RunError: the data, the run or its `metrics.json` cannot be read.
    """
    tell: Progress = progress or (lambda doing, share: None)
    n, real = (None if each is None else _some(each, name) for name, each in (("n", n), ("real", real)))
    reading = partial(tell, "reading images")
    images = None if data is None else image_set(data, real, reading)
    meant = judged(what, step, n, None if images is None else images.source)
    with as_said_by(meant.said_by, data, metrics, extractor):
        numbers = _seeds(seeds, meant)
        if images is None and meant.data is None:
            raise UsageError(f"{meant.name}: the real images are missing; set --data, or data=… in Python.")
        images = image_set(meant.data, real, reading) if images is None else images
        file = place(output) if output is not None else None if meant.place is None else scores_file(meant.place)
        work = _Work(meant, refine, again, file, tell)
        if meant.images is not None and (others := held_out_of(meant.images)) is not None:
            mine = f"its {len(meant.images):,} images of split={meant.images.split}"
            others_are = f"the {len(others):,} of {others.name} are not"
            work.remarks.append(f"{meant.name} is divided: {mine} are evaluated, {others_are}")
        for each, model in meant.models():
            _check_shape(meant, model, images)
            if work.sides is None:
                device = best_device() if model is None else torch.device(model.device)
                work.sides = RealSides(images, held_out_of(images, real), extractor, device, work.tell)
                work.choose(metrics, context_of(images, None if model is None else model.noise_dim))
                if extractor is not None:
                    work.check_extractor()
            work.evaluate(each, model, IMAGES if n is None else n, numbers)
    trim(features_folder())
    return Evaluation(work.found, work.left_out, list(dict.fromkeys(work.remarks)))


def _some(number: Any, name: str) -> int:
    found = count(number, name)
    if found < 1:
        raise UsageError(f"{name} is a number of images, 1 or more, not {number!r}.")
    return found


def _seeds(seeds: int | Sequence[int], meant: Judged) -> list[int]:
    if isinstance(seeds, int):
        if seeds < 1:
            raise UsageError(f"seeds must be at least 1, not {seeds}.")
        found = list(range(seeds))
    else:
        found = [check_seed(seed) for seed in seeds]
    if not found:
        raise UsageError("the list of seeds is empty.")
    if meant.images is not None and len(found) > 1:
        raise UsageError("given images are not sampled, so they have no seeds: leave out --seeds.")
    return found


def _check_shape(meant: Judged, model: Model | None, real: ImageSet) -> None:
    """Raise an error unless all images have one size."""
    images = meant.images
    shape = images.source.image_shape if images is not None else None if model is None else model.image_shape
    wanted = real.source.image_shape
    if shape is not None and tuple(shape) != tuple(wanted):
        if images is None:
            name, changed, to = "the images of the model", real, shape
        else:
            name, changed, to = "the evaluated images" if images.name == real.name else images.name, images, wanted
        mend = "convert one of them"
        if changed.table is not None and "size" in read_options(part_class("data", changed.table["plugin"])):
            color = f",color={COLORS[to[0]]}" if to[0] in COLORS else ""
            mend = f"give the folder size=[{to[1]},{to[2]}]{color}, as in FOLDER:size=[{to[1]},{to[2]}]{color}"
        raise FitError(
            f"{name} are {list(shape)}, those of {real.name} {list(wanted)} (channels, height, width), and only images "
            f"of one shape can be compared: {mend}."
        )


@dataclass(frozen=True)
class _Plan:
    """A metric, the key of its extractor, and its score, without figures if they are not computed yet."""

    metric: Chosen
    key: str
    score: Score
    done: bool = False


class _Work:
    """The loop over seeds and metrics, with its results so far.

    Args:
        meant: what is evaluated.
        refine: whether to apply the refiner.
        again: whether to compute existing scores again.
        file: where scores are saved; `None` for nowhere.
        tell: receives progress.
    """

    def __init__(self, meant: Judged, refine: bool, again: bool, file: Path | None, tell: Progress) -> None:
        self.meant, self.refine, self.again, self.file, self.tell = meant, refine, again, file, tell
        self.before = [] if file is None else read_scores(file)
        self.sides: RealSides | None = None
        self.metrics: list[Chosen] = []
        self.demanded = False
        self.found: list[Score] = []
        self.left_out: dict[str, str] = {}
        self.remarks: list[str] = []

    def choose(self, metrics: Any, context: Mapping[str, Any]) -> None:
        """The metrics to compute."""
        self.demanded = metrics is not None
        if self.demanded:
            self.metrics = named_metrics(metrics, context)
        else:
            self.metrics, self.left_out = default_metrics(context)

    def check_extractor(self) -> None:
        """Construct the extractor that was asked for, if a metric reads it, so that an error in it is told of once."""
        assert self.sides is not None
        reads = next((each for each in self.metrics if each.features and each.part.extractor is None), None)
        if reads is not None:
            self.sides.key(reads)

    def evaluate(self, step: int | None, model: Model | None, n: int, seeds: Sequence[int]) -> None:
        """Compute all metrics for the samples of all seeds."""
        assert self.sides is not None
        images, classes = self.meant.images, self.sides.real.source.classes
        made = generated_by(self.meant, step, model, n if images is None else len(images), self.refine)
        for seed in seeds:
            if images is not None:
                sample = Sample(Some(images.source, range(len(images)), classes or ()), None, made)
            else:
                assert model is not None
                drawn = Drawn(model, n, seed, self.refine, classes, partial(self.tell, "drawing images"))
                sample = Sample(drawn, model, replace(made, seed=seed))
            planned = [self._plan(metric, sample, self.sides) for metric in self.metrics]
            for plan in filter(None, planned):
                self._measure(plan, sample, self.sides, seed)

    def _plan(self, metric: Chosen, sample: Sample, sides: RealSides) -> _Plan | None:
        """The score to compute, or the existing one; `None` if the metric is left out."""
        plan: _Plan | None = None
        with self._leaving_out(metric.name):
            key = sides.key(metric)
            blank = Score(metric.plugin, metric.options, {}, sides.protocol(metric, key, sample.record), 0.0, "")
            known = next((each for each in self.before if each.same(blank)), None)
            if known is not None and metric.fixed and not self.again:
                plan = _Plan(metric, key, known, done=True)
            elif reason := missing(metric.part, sides.comparison(key, sample)):
                raise FitError(reason)
            else:
                plan = _Plan(metric, key, blank)
        return plan

    def _measure(self, plan: _Plan, sample: Sample, sides: RealSides, seed: int) -> None:
        """Compute and save the score of one metric."""
        if plan.done:
            self._found(plan.score, plan.metric)
            return
        name, began = plan.metric.name, time.monotonic()
        with self._leaving_out(name):
            self.tell(f"measuring {name}", 0.0)
            with forked(derive_seed(seed, "evaluate", name)), torch.no_grad():
                figures = measure(plan.metric.part.to(sides.device), sides.comparison(plan.key, sample))
            seconds, now = time.monotonic() - began, datetime.now(timezone.utc)
            when = now.isoformat(timespec="seconds")
            score = replace(plan.score, figures=figures, seconds=round(seconds, 3), when=when)
            if self.file is not None:
                add_score(self.file, score)
            self._found(score, plan.metric)

    def _found(self, score: Score, metric: Chosen) -> None:
        self.found.append(score)
        if remark := metric.part.remark(score.figures):
            at = f" at step {score.protocol.generated.step:,}" if len(self.meant.steps) > 1 else ""
            self.remarks.append(f"{metric.name}{at}: {remark}")

    @contextmanager
    def _leaving_out(self, name: str) -> Iterator[None]:
        """Leave out a metric that cannot be computed, unless the user named it."""
        try:
            yield
        except (UsageError, BrokenPlugin) as error:
            if self.demanded:
                raise type(error)(f"metric {name}: {error}") from error
            self.left_out[name] = str(error).rstrip(".")
