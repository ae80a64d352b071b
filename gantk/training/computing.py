"""How a training computes: as its settings say, or as fast as some steps at its start show that it can."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from statistics import median

import torch

from gantk.building.snapshot import Snapshot
from gantk.building.train_settings import TrainSettings
from gantk.data import DataSource
from gantk.errors import Diverged, Interrupted
from gantk.model import Model
from gantk.nn.layout import LAYOUTS, lay_out
from gantk.run.checkpoints import Place
from gantk.run.chosen import Chosen, Computing, read_chosen, write_chosen
from gantk.run.folder import Run
from gantk.schedule import Batch, Stage
from gantk.seeds import derive_seed, forked
from gantk.training.batches import Batches
from gantk.training.devices import autocast_of
from gantk.training.fabric import Fabric
from gantk.training.fastest import faster, times
from gantk.training.turn import Turns

__all__ = ["Trials", "computing"]

PRECISIONS = ("32-true", "bf16-mixed")
FEW, LEAST = 8, 2
"""Images by which a step's time is guessed and on which other stages are tried, and the fewest that are measured."""
LONG = 0.5
"""Seconds that a measured step should take at most; batches are made smaller for it, but not smaller than `FEW`."""
SHORT = 60.0
"""Seconds of what is left of a training below which nothing is measured."""
FEWEST_STEPS = 30
"""Steps that are left of the stage below which nothing is played: measuring would play nearly as many."""
SHORTLY = "the training is too short to measure others"
HEAVY = 2.0
"""Seconds of a step of `FEW` images above which even fewer are measured."""


def computing(
    run: Run,
    model: Model,
    fabric: Fabric,
    settings: TrainSettings,
    data: DataSource,
    place: Place,
    say: Callable[[str], None],
    before: Callable[[], object] = lambda: None,
) -> Computing:
    """How this run computes. What `train.precision=auto` measures is said, and kept in the run; the model is unchanged.

    Args:
        run: the run.
        model: its model.
        fabric: the devices.
        settings: how it is trained.
        data: the training data.
        place: where training begins.
        say: receives what was measured.
        before: called before each step that is measured; what it raises ends the measurement.
    """
    layout = "contiguous" if settings.memory_format == "auto" else settings.memory_format
    if settings.precision != "auto":
        return Computing(settings.precision, layout)
    chosen: Chosen | None = fabric.broadcast(read_chosen(run) if fabric.is_global_zero else None)
    planned = sum(stage.steps(len(data)) for stage in model.built.stages)
    if chosen is None or not chosen.serves(planned):
        chosen = Trials(model, fabric, settings, data, place, before=before).chosen()
        if chosen is None:
            return Computing("32-true", layout)
        if fabric.is_global_zero:
            write_chosen(run, replace(chosen, planned=planned))
            if chosen.seconds:
                say(f"precision: {chosen}")
    return Computing(chosen.precision, chosen.memory_format if settings.memory_format == "auto" else layout)


class Trials:
    """Steps of what is left of a training, each computed in several ways, after which the model is as it was.

    Args:
        model: the model, on its device.
        fabric: the devices, all of which take part.
        settings: how it is trained.
        data: the training data.
        place: where training begins.
        clock: the time in seconds; by default that of the device.
        before: called before each step; what it raises ends the measurement.
    """

    def __init__(
        self,
        model: Model,
        fabric: Fabric,
        settings: TrainSettings,
        data: DataSource,
        place: Place,
        clock: Callable[[], float] | None = None,
        before: Callable[[], object] = lambda: None,
    ) -> None:
        self._model, self._fabric, self._settings, self._data, self._place = model, fabric, settings, data, place
        self._clock, self._before = clock or self._time, before
        self._seed: int = model.built.spec["seed"]
        self._stages = model.built.stages
        formats = LAYOUTS if settings.memory_format == "auto" else (settings.memory_format,)
        self._ways = [Computing(precision, layout) for precision in PRECISIONS for layout in formats]

    def chosen(self) -> Chosen | None:
        """The fastest way that works in every stage that is left; `None` if there is nothing to measure."""
        left = [(n, stage) for n, stage in enumerate(self._stages) if self._steps_left(n, stage) > 0]
        if not left:
            return None
        # Of stages with as many images, the last: a growing network is the largest then.
        number, stage = max(left, key=lambda each: (self._images_left(*each), each[0]))
        if self._steps_left(number, stage) < FEWEST_STEPS:
            return self._as_chosen(self._ways[0], stage, 0, {}, SHORTLY)
        objectives = [player.objective for each in self._stages for player in each.players]
        before = Snapshot(self._model, [*objectives, self._model.built.recipe])
        try:
            with forked(derive_seed(self._seed, "precision")):
                return self._measured(before, number, stage)
        finally:
            self._restore(before)

    def _measured(self, before: Snapshot, number: int, stage: Stage) -> Chosen | None:
        self._enter(number)
        batches = Batches(self._data, self._seed, stage, self._fabric).of_step(0)
        guess = self._guess(stage, batches)
        if guess is not None and guess * self._images_left(number, stage) / self._fabric.world_size < SHORT:
            return self._as_chosen(self._ways[0], stage, FEW, {}, SHORTLY)
        images = _affordable(guess, len(batches[0].images))
        batches = [_first(batch, images) for batch in batches]
        try:
            step = functools.partial(self._step, stage=stage, batches=batches)
            seconds = times(self._ways, step, self._clock, self._agreed, self._before)
        except Interrupted:
            raise
        except Exception:  # noqa: BLE001 - training itself will meet it, and say where
            return None
        way = next((way for way in faster(seconds) if self._works(before, way, number)), self._ways[0])
        return self._as_chosen(way, stage, images, seconds)

    def _as_chosen(
        self, way: Computing, stage: Stage, images: int, seconds: Mapping[Computing, Sequence[float]], why: str = ""
    ) -> Chosen:
        told = {str(each): round(median(values), 6) for each, values in seconds.items()}
        where = (self._place.total, stage.name, images, str(self._fabric.device))
        return Chosen(way.precision, way.memory_format, *where, told, why)

    def _guess(self, stage: Stage, batches: Sequence[Batch]) -> float | None:
        """Seconds for each image of a batch on this device, by a few of them; `None` if that fails."""
        few = [_first(batch, FEW) for batch in batches]
        try:
            step = functools.partial(self._step, stage=stage, batches=few)
            (seconds,) = times(self._ways[:1], step, self._clock, self._agreed, self._before, rounds=2)[self._ways[0]]
        except Interrupted:
            raise
        except Exception:  # noqa: BLE001 - a loss may need more images
            return None
        return seconds / len(few[0].images)

    def _works(self, before: Snapshot, way: Computing, measured: int) -> bool:
        """Whether the other stages that are left can be computed in this way."""
        self._restore(before)
        try:
            for number, stage in enumerate(self._stages):
                self._enter(number, first=number)
                if number != measured and self._steps_left(number, stage) > 0:
                    batches = Batches(self._data, self._seed, stage, self._fabric).of_step(0)
                    self._step(way, stage, [_first(batch, FEW) for batch in batches])()
        except Exception:  # noqa: BLE001 - whatever a part raises, plain float32 remains
            return False
        return True

    def _enter(self, number: int, first: int = 0) -> None:
        """Enter the stages up to this one, from the first one or another, except those that training has entered."""
        begun = self._place.stage + (self._place.step > 0)
        for stage in self._stages[max(first, begun) : number + 1]:
            if stage.enter is not None:
                stage.enter(self._model)

    def _step(self, way: Computing, stage: Stage, batches: Sequence[Batch]) -> Callable[[], None]:
        self._model.eval().requires_grad_(False)
        for path in stage.moves():
            self._model.get_submodule(path).train()
        lay_out(self._model, way.memory_format)
        autocast = autocast_of(way.precision, self._fabric)
        turns = Turns(self._fabric, self._model, stage, self._settings.accumulate, autocast)
        if stage.each is not None:
            stage.each(self._model, 0.5)
        return lambda: _play(turns, self._model, stage, batches)

    def _restore(self, before: Snapshot) -> None:
        lay_out(self._model, "contiguous")
        before.restore()

    def _steps_left(self, number: int, stage: Stage) -> int:
        if number < self._place.stage:
            return 0
        return stage.steps(len(self._data)) - (self._place.step if number == self._place.stage else 0)

    def _images_left(self, number: int, stage: Stage) -> int:
        return self._steps_left(number, stage) * stage.batch_size

    def _agreed(self, seconds: float) -> float:
        """The time of the first device, so that all of them measure and choose the same."""
        return float(self._fabric.broadcast(seconds)) if self._fabric.world_size > 1 else seconds

    def _time(self) -> float:
        if self._fabric.device.type != "cpu":
            torch.accelerator.synchronize(self._fabric.device)
        return time.perf_counter()


def _affordable(guess: float | None, most: int) -> int:
    """How many images a measured batch has, so that a step is short."""
    if not guess:
        return most
    least = FEW if guess * FEW <= HEAVY else LEAST
    return min(most, max(least, int(LONG / guess)))


def _play(turns: Turns, model: Model, stage: Stage, batches: Sequence[Batch]) -> None:
    turns.play(model.step(batch, stage.values, done=0.5) for batch in batches)
    if found := turns.divergence():
        raise Diverged(found.what)


def _first(batch: Batch, count: int) -> Batch:
    return Batch(batch.images[:count], None if batch.labels is None else batch.labels[:count])
