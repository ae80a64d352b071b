"""`gantk.evaluate`: metric by metric, each written down as soon as it is finished."""

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
from gantk.errors import BrokenPlugin, FitError, UsageError
from gantk.evaluation.cache import features_folder, trim
from gantk.evaluation.choice import Chosen, context_of, default_metrics, named_metrics
from gantk.evaluation.judged import Judged, Steps, best_device, generated_by, judged
from gantk.evaluation.real import ImageSet, held_out_of, image_set
from gantk.evaluation.scores import Score, add_score, read_scores, scores_file
from gantk.evaluation.sides import Progress, RealSides, Sample
from gantk.evaluation.views import Drawn, Some
from gantk.files import place
from gantk.measures import measure, missing
from gantk.model import Model
from gantk.seeds import check_seed, derive_seed, forked

__all__ = ["Evaluation", "evaluate"]

IMAGES = 10_000
"""How many images a model draws where nobody says."""


class Evaluation(list[Score]):
    """The scores of an evaluation, in the order of metrics within seeds within steps.

    Args:
        scores: the scores, those included that were there before.
        left_out: metric → why it was not computed.
        remarks: what metrics say in words of their figures, such as that training images were copied.
    """

    def __init__(
        self, scores: Sequence[Score] = (), left_out: dict[str, str] | None = None, remarks: Sequence[str] = ()
    ) -> None:
        super().__init__(scores)
        self.left_out = left_out or {}
        self.remarks = list(remarks)

    def figures(self) -> dict[str, float]:
        """Every figure by `metric/figure`, as `frechet/distance`: its mean over seeds and steps."""
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
    """Measure how good generated images are: how close to real ones, how varied, how new.

    Each finished metric is written into the run's `metrics.json` with its protocol at once, so that an evaluation can
    be stopped; what is there already with the same protocol is not computed again::

        for score in gantk.evaluate("runs/x", metrics=["frechet", "prdc:k=3"], n=2000):
            print(score.name, score.figures)

    Args:
        what: a run or one of its checkpoints, a model; or images of any program: a folder, an array, a data source.
        metrics: one or several, each a name with options, or code; where not given, gantk's own that suit the data.
        extractor: what features are computed by, where a metric does not insist on another one: a name with options,
            or code; where not given, a classifier of the data set's classes, else one of ImageNet's, else pixels.
        n: how many images are generated, 10,000 where not given; of images that were given, so many, chosen at random,
            or all of them.
        step: the step of a run's checkpoint, or `"all"`; the newest where not given.
        seeds: how many times images are drawn, with the seeds 0, 1, …; or the seeds themselves.
        data: the real images, as `gantk.build` takes data; where not given, those that the model was trained on.
        real: compare with so many of them, chosen at random; with all where not given.
        refine: whether images go through the refiner, where the model has one.
        again: compute what is there already, too.
        output: the file that scores are written into, in place of the run's `metrics.json`, or of
            `NAME.metrics.json` beside a folder or zip of images.
        progress: receives what is being done and the share of it that is done.

    Returns:
        the scores, with the reasons for those left out.

    Raises:
        UsageError: something is named that there is not, or a named metric cannot be computed of these images.
        DataError, RunError: the data, the run or its `metrics.json` cannot be read.
    """
    tell: Progress = progress or (lambda doing, share: None)
    reading = partial(tell, "reading images")
    images = None if data is None else image_set(data, real, reading)
    meant = judged(what, step, n, None if images is None else images.source.image_shape[0])
    numbers = _seeds(seeds, meant)
    if images is None and meant.data is None:
        raise UsageError(f"{meant.name}: the real images are missing: give them with --data, or in Python with data=….")
    images = images or image_set(meant.data, real, reading)
    file = place(output) if output is not None else None if meant.place is None else scores_file(meant.place)
    work = _Work(meant, refine, again, file, tell)
    for each, model in meant.models():
        _check_shape(meant, model, images)
        if work.sides is None:
            device = best_device() if model is None else torch.device(model.device)
            work.sides = RealSides(images, held_out_of(images, real), extractor, device, work.tell)
            work.choose(metrics, context_of(images, None if model is None else model.noise_dim))
        work.evaluate(each, model, IMAGES if n is None else count(n), numbers)
    trim(features_folder())
    return Evaluation(work.found, work.left_out, list(dict.fromkeys(work.remarks)))


def _seeds(seeds: int | Sequence[int], meant: Judged) -> list[int]:
    if isinstance(seeds, int):
        if seeds < 1:
            raise UsageError(f"seeds is the number of seeds, 1 or more, not {seeds}.")
        found = list(range(seeds))
    else:
        found = [check_seed(seed) for seed in seeds]
    if not found:
        raise UsageError("the list of seeds is empty.")
    if meant.images is not None and len(found) > 1:
        raise UsageError("given images are not sampled, so they have no seeds: leave out --seeds.")
    return found


def _check_shape(meant: Judged, model: Model | None, real: ImageSet) -> None:
    """Refuse images of two sizes."""
    images = meant.images
    shape = images.source.image_shape if images is not None else None if model is None else model.image_shape
    wanted = real.source.image_shape
    if shape is not None and tuple(shape) != tuple(wanted):
        name = "the model's images" if images is None else images.name
        raise FitError(
            f"{name} and {real.name}: {list(shape)} and {list(wanted)} (channels, height, width); only images of one "
            "size are compared: a folder's are resized by size=[HEIGHT,WIDTH] and color=gray or rgb."
        )


@dataclass(frozen=True)
class _Plan:
    """A metric, the key of its extractor, and its score: without figures where they are not computed yet."""

    metric: Chosen
    key: str
    score: Score
    done: bool = False


class _Work:
    """The loop over seeds and metrics; what it found so far.

    Args:
        meant: what is evaluated.
        refine: whether images go through the refiner.
        again: whether to compute what is there already.
        file: where scores are written; `None` for nowhere.
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
        """The metrics that are computed."""
        self.demanded = metrics is not None
        if self.demanded:
            self.metrics = named_metrics(metrics, context)
        else:
            self.metrics, self.left_out = default_metrics(context)

    def evaluate(self, step: int | None, model: Model | None, n: int, seeds: Sequence[int]) -> None:
        """All metrics of the samples of all seeds."""
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
        """What is to be computed, or was; `None` where a metric is left out."""
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
        """The score of one metric, written down."""
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
        """What cannot be computed is left out, unless somebody named it."""
        try:
            yield
        except (UsageError, BrokenPlugin) as error:
            if self.demanded:
                raise type(error)(f"metric {name}: {error}") from error
            self.left_out[name] = str(error).rstrip(".")
