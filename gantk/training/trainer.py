"""The trainer: one for every recipe. It plays stages of players, and knows no paper, part or device by name."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from typing import Any

import tomli_w
import torch
from lightning_fabric import Fabric
from torch import Tensor

from gantk import toml
from gantk.building.assembly import assemble, open_data
from gantk.building.train_settings import TrainSettings
from gantk.data import DataSource, to_float
from gantk.data.order import Order
from gantk.errors import DataError, Diverged, Interrupted, UsageError
from gantk.model import Model
from gantk.nn import evaluating
from gantk.report.pictures import grid, save_picture
from gantk.run.checkpoints import Place, check_unchanged, load_optimizers, load_training, load_weights, save
from gantk.run.folder import Run
from gantk.run.log import Log
from gantk.schedule import Batch, Stage
from gantk.seeds import derive_seed, forked, generator_for, seed_everything
from gantk.training.averages import Averages
from gantk.training.progress import Progress, Silent, for_stream
from gantk.training.signals import StopRequest, stop_on_signals
from gantk.training.turn import Turns

__all__ = ["Trainer", "train"]


def train(
    model: Model,
    run: str | os.PathLike[str] | Run,
    *,
    fresh: bool = False,
    progress: Progress | None = None,
) -> Model:
    """Train a built model in a run folder, from where the run stands.

    Args:
        model: what `gantk.build` or `gantk.load` returned.
        run: the folder; made where it does not exist.
        fresh: start over: delete the run's checkpoints, samples and logs first.
        progress: who is told; a bar, or lines where standard error is no terminal.

    Raises:
        RunError: the folder holds another model's run, or something else.
        Diverged: a loss, gradient or weight became NaN or infinite; the last checkpoint stays.
        Interrupted: SIGINT or SIGTERM came; everything is saved.
    """
    if not model.is_built:
        raise UsageError("this model was put together by hand: gantk.train needs one from gantk.build or gantk.load.")
    run, spec = run if isinstance(run, Run) else Run(run), model.built.spec
    if run.model_toml.exists():
        written = run.spec()
        if not (same_model(written, spec) or same_model(assemble(written, for_training=False).built.spec, spec)):
            raise UsageError(f"{run} holds another model: train it with gantk train, or choose another place.")
    else:
        run.create(spec)
    with deterministic(), forked(spec["seed"]), stop_on_signals() as stop:
        Trainer(model, run, progress or for_stream(), stop).fit(fresh)
    return model


class Trainer:
    """Plays the stages of one model in one run.

    Args:
        model: the model.
        run: where everything is written.
        progress: who is told.
        stop: asked after every step.
    """

    def __init__(self, model: Model, run: Run, progress: Progress, stop: StopRequest) -> None:
        self.model, self.run, self.progress, self.stop = model, run, progress, stop
        self.settings = TrainSettings(**model.built.spec["train"])
        self.seed: int = model.built.spec["seed"]
        self.data = _data(model)
        self.fabric = _fabric(self.settings)
        if self.settings.devices > 1:
            self.fabric.launch()
        if not self.fabric.is_global_zero:
            self.progress = Silent()

    def fit(self, fresh: bool = False) -> None:
        """Train from the newest checkpoint, or from the start, to the end of the last stage."""
        with self.run.locked() if self.fabric.is_global_zero else nullcontext(), self.model.averaging():
            self._fit(fresh)

    def _fit(self, fresh: bool) -> None:
        if fresh and self.fabric.is_global_zero:
            self.run.forget_training()
        self.fabric.barrier()
        place, states = Place(), {}
        if self.run.steps():
            latest = self.run.latest()
            state = load_training(latest)
            check_unchanged(self.model, latest, state["trained"])
            load_weights(self.model, latest)
            place, states = state["place"], state["optimizers"]
            self.progress.say(f"going on from {latest}")
        self.run.clean(self.settings.keep)
        self.fabric.to_device(self.model)
        self.log = Log(self.run, place.total) if self.fabric.is_global_zero else None
        try:
            self.data.prepare(self.progress.reading)
            for index in range(place.stage, len(self.model.built.stages)):
                place = self._stage(place, self.model.built.stages[index], states)
                states = {}
        finally:
            self.progress.finish()
            if self.log:
                self.log.close()
            self.model.requires_grad_(True).eval()

    def _stage(self, place: Place, stage: Stage, states: dict[str, object]) -> Place:
        turns = Turns(self.fabric, self.model, stage)
        if states:
            load_optimizers(turns.optimizers, states, self.run.latest())
        if place.step == 0 and stage.enter is not None:
            seed_everything(derive_seed(self.seed, stage.name, "enter"))
            stage.enter(self.model)
        steps, images = stage.steps(len(self.data)), stage.batch_size * stage.batches()
        self._modes(stage)
        self.progress.start(stage.name, steps, place.step, images)
        order, averages = Order(len(self.data), self.seed, stage.name), Averages()
        since, first = time.monotonic(), place.step
        for done in range(place.step, steps):
            averages.add(self._step(stage, turns, order, done, steps))
            self.progress.step()
            last, total = done + 1 == steps, place.total + done + 1 - place.step
            if last or total % self.settings.log_every == 0:
                rate = (done + 1 - first) * images / (time.monotonic() - since)
                self._report(stage, done + 1, total, averages.take(), rate, (steps - done - 1) * images / rate)
                since, first = time.monotonic(), done + 1
            if last or total % self.settings.sample_every == 0:
                self._picture(stage, total)
            if last or total % self.settings.measure_every == 0:
                self._measure(stage, done + 1, total)
            reached = Place(place.stage + 1, 0, total) if last else Place(place.stage, done + 1, total)
            if last or self.stop or total % self.settings.checkpoint_every == 0:
                self._checkpoint(reached, {} if last else turns.optimizers)
            if self.stop.signal is not None:
                raise self._interrupted(reached, self.stop.signal)
        self.progress.finish()
        return reached

    def _step(self, stage: Stage, turns: Turns, order: Order, done: int, steps: int) -> dict[str, Tensor]:
        seed_everything(derive_seed(self.seed, stage.name, done, self.fabric.global_rank))
        if stage.each is not None:
            stage.each(self.model, done / steps)
        batches = self._batches(stage, order, done)
        try:
            part = done / steps
            values = turns.play(self.model.step(b, stage.values, number=done, done=part) for b in batches)
        except Diverged as error:
            raise Diverged(f"stage '{stage.name}', step {done + 1}, {error}; {self._go_back()}") from None
        self.model.update_average(stage.moves(), stage.batch_size * stage.batches())
        return values

    def _batches(self, stage: Stage, order: Order, done: int) -> Iterator[Batch]:
        """The batches of one step: this device's share of each."""
        count = stage.batches()
        for number in range(done * count, (done + 1) * count):
            indices = order.indices(number * stage.batch_size, stage.batch_size)
            mine = indices[self.fabric.global_rank :: self.fabric.world_size]
            images, labels = self.data.images(mine), self.data.labels(mine)
            yield Batch(
                to_float(self.fabric.to_device(images)), None if labels is None else self.fabric.to_device(labels)
            )

    def _modes(self, stage: Stage) -> None:
        """What this stage moves trains; everything else is frozen as it is sampled from."""
        self.model.eval().requires_grad_(False)
        for path in stage.moves():
            self.model.get_submodule(path).train()

    def _report(self, stage: Stage, done: int, total: int, values: dict[str, float], rate: float, left: float) -> None:
        self.progress.report(values, rate, left)
        if self.log:
            self.log.write({**_entry(stage, done, total), "values": values, "images_per_second": round(rate, 1)})

    def _measure(self, stage: Stage, done: int, total: int) -> None:
        if not self.log:
            return
        values: dict[str, float] = {}
        with forked(derive_seed(self.seed, "measure")), torch.no_grad(), evaluating(self.model):
            for path, part in self.model.parts.items():
                values |= {f"measure/{path}/{name}": float(value) for name, value in part.measure(self.model).items()}
        if values:
            figures = ", ".join(f"{name.removeprefix('measure/')} {value:.4g}" for name, value in values.items())
            self.progress.say(f"step {total}: {figures}")
            self.log.write({**_entry(stage, done, total), "values": values})

    def _picture(self, stage: Stage, total: int) -> None:
        if not self.log:
            return
        with forked(self.seed), torch.no_grad():
            generator = generator_for(self.seed, "samples")
            draw = stage.preview or Model.preview
            images = draw(self.model, self.settings.samples, generator)
        if images.shape[1] <= 4:
            drawn = grid(images.detach().cpu())
            save_picture(drawn, self.run.samples_folder / f"step-{total:07d}.png")
            self.log.picture("samples", drawn, total)

    def _checkpoint(self, place: Place, optimizers: dict[str, torch.optim.Optimizer]) -> None:
        for name, tensor in self.model.state_dict().items():
            if tensor.is_floating_point() and not torch.isfinite(tensor).all():
                raise Diverged(f"step {place.total}: {name} holds NaN or infinity; {self._go_back()}")
        if self.fabric.is_global_zero:
            save(self.run, self.model, place, optimizers, self.settings.keep)
        self.fabric.barrier()

    def _go_back(self) -> str:
        steps = self.run.steps()
        return f"the checkpoint of step {steps[-1]} is whole" if steps else "there is no checkpoint yet"

    def _interrupted(self, place: Place, signal: signal.Signals) -> Interrupted:
        message = f"stopped by {signal.name} after step {place.total}, saved; go on with: gantk train {self.run.typed}"
        return Interrupted(message, signal.value)


def _entry(stage: Stage, done: int, total: int) -> dict[str, Any]:
    """What every line of the log begins with."""
    return {"step": total, "stage": stage.name, "stage_step": done, "time": round(time.time(), 3)}


def _fabric(settings: TrainSettings) -> Fabric:
    """Lightning Fabric, with what it has to say of settings that this machine cannot meet."""
    try:
        return Fabric(
            accelerator=settings.accelerator,
            devices=settings.devices,
            strategy=settings.strategy,
            precision=settings.precision,
        )
    except (ValueError, RuntimeError, ImportError) as error:
        chosen = f"accelerator={settings.accelerator}, devices={settings.devices}, strategy={settings.strategy}"
        raise UsageError(f"train: {chosen}: {str(error).rstrip('.')}.") from error


def same_model(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether two specs say the same as TOML, whatever the versions that wrote them."""
    first, second = (toml.loads(tomli_w.dumps(spec)) for spec in (one, other))
    return {**first, "versions": {}} == {**second, "versions": {}}


def _data(model: Model) -> DataSource:
    """The model's data set, checked to be the one that it was built on."""
    data = model.built.data or open_data(model.built.spec)
    built = model.built.spec["shape"]
    found = {"image_shape": list(data.image_shape), "images": len(data)}
    for name, value in found.items():
        if value != built[name]:
            raise DataError(f"the data set has changed: {name} was {built[name]} at build and is {value}; build anew.")
    model.built.data = data
    return data


@contextmanager
def deterministic() -> Iterator[None]:
    """Ask torch for the same bits every time, where it has a deterministic kernel, and undo that afterwards."""
    before = torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled()
    fill = torch.utils.deterministic.fill_uninitialized_memory  # type: ignore[attr-defined]
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.use_deterministic_algorithms(True, warn_only=True)
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before[0], warn_only=before[1])
        torch.utils.deterministic.fill_uninitialized_memory = fill  # type: ignore[attr-defined]
