"""The trainer of all recipes: it plays the stages of a model, whatever their players and parts are."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import closing, nullcontext, suppress
from typing import Any, cast

from torch import Tensor

from gantk.building.changes import change_settings, checked_settings
from gantk.building.checks import larger_than_data
from gantk.building.faults import blaming
from gantk.building.images import checked_shape, open_data
from gantk.building.resolved import resolved
from gantk.building.spec import part_table
from gantk.building.train_settings import TrainSettings
from gantk.data import DataSource
from gantk.data.content import content_of, difference_of_counts, difference_of_data
from gantk.errors import DataError, Diverged, Interrupted, UnusableCheckpoint, WorkError, briefly
from gantk.memory import ran_out, shortage
from gantk.model import Model
from gantk.nn.layout import lay_out
from gantk.nn.synchronized import synchronized
from gantk.run.aside import half_set_aside, set_aside, set_damaged_aside
from gantk.run.checkpoints import Place, load_start, save
from gantk.run.entries import read_log
from gantk.run.folder import Run
from gantk.run.hashing import hashing
from gantk.run.history import Change, add_change, as_toml, difference, read_history
from gantk.run.lock import locked
from gantk.run.log import Log
from gantk.run.loggers import check_installed
from gantk.run.optimizer_states import States, load_states, states_of
from gantk.run.tensors import first_not_finite
from gantk.schedule import Stage
from gantk.seeds import derive_seed, seed_everything
from gantk.training.batches import Batches
from gantk.training.changes import change_text, check_data, check_possible, segments
from gantk.training.computing import computing
from gantk.training.curves import Curves
from gantk.training.devices import autocast_of, fabric_of, is_of_connection, launch, measured_on
from gantk.training.due import Due
from gantk.training.graphs import Graphs
from gantk.training.measuring import Measuring
from gantk.training.monitor import Monitor
from gantk.training.progress import Progress, Silent
from gantk.training.recording import recorder_of
from gantk.training.reports import Reports
from gantk.training.resident import resident
from gantk.training.resuming import resume
from gantk.training.signals import StopRequest
from gantk.training.stopping import Stopping
from gantk.training.turn import Turns, Values

__all__ = ["StopWhen", "Trainer"]

StopWhen = Callable[[int, Mapping[str, float]], bool]
"""Called after every measurement with the step and the figures by their names in the log; true stops training."""


class _Enough(Exception):
    """Training stops before its end; everything is saved."""


class Trainer:
    """Plays the stages of one model in one run.

    Args:
        model: the model.
        run: the folder to write to.
        progress: receives progress updates.
        stop: whether a signal has requested a stop; checked after every step.
        settings: settings to change from this step on.
        stop_when: called after every measurement; if it returns true, training is saved and stops.
        seconds: time after which training is saved and stops, counted from now on; None for no limit.
    """

    def __init__(
        self,
        model: Model,
        run: Run,
        progress: Progress,
        stop: StopRequest,
        settings: Sequence[Any] = (),
        stop_when: StopWhen | None = None,
        seconds: float | None = None,
    ) -> None:
        self.model, self.run, self.progress, self.stop = model, run, progress, stop
        self.stop_when = stop_when
        self.spec, self.stages = checked_settings(model, settings)
        self.settings = TrainSettings(**self.spec["train"])
        check_installed(self.settings.loggers)
        self.seed: int = model.built.spec["seed"]
        self.data = _data(model)
        self.written = run.spec()
        self.states: States = {}
        self.interval: dict[str, Any] = {}
        self.content: dict[str, Any] = {}
        self.fabric = fabric_of(self.settings)
        if self.settings.processes > 1:
            launch(self.fabric)
        if not self.fabric.is_global_zero:
            self.progress = Silent()
        self.stopping = Stopping(run, self.fabric, stop, self.progress, seconds)

    def fit(self, fresh: bool = False, accept_data: bool = False) -> None:
        """Train from the newest checkpoint, or from the start, to the end of the last stage."""
        built = self.written["shape"]["images"]
        if built != len(self.data) and not (accept_data or self.run.steps()):
            found = difference_of_counts(built, len(self.data))
            check_data(found, "the build", self.run.typed, "data" not in self.spec)
        with (
            locked(self.run) if self.fabric.is_global_zero else nullcontext(),
            self.model.averaging(),
            synchronized(self.model) if self._synchronizes else nullcontext(),
        ):
            try:
                self._fit(fresh, accept_data)
            except RuntimeError as error:
                if self.fabric.world_size == 1 or not is_of_connection(error):
                    raise
                raise WorkError(
                    f"stopped, since the process of another device has ended; {self._go_back()}; "
                    f"resume with: gantk train {self.run.typed}."
                ) from error

    @property
    def _synchronizes(self) -> bool:
        return self.settings.sync_batchnorm and self.fabric.world_size > 1

    def _fit(self, fresh: bool, accept_data: bool) -> None:
        place, trained_on = Place(), dict[str, Any]()
        fresh = fresh or half_set_aside(self.run)  # a --fresh that was stopped goes on
        unusable: list[UnusableCheckpoint] = []
        if self.run.steps() and not fresh:
            state, unusable = resume(self.run, self.model, self.fabric, self.progress.say)
            place, self.states = state.place, state.optimizers
            trained_on, self.interval = dict(state.data), dict(state.interval)
        else:
            load_start(self.run, self.model)
        check_possible(self.model.built.stages, self.stages, place, len(self.data))
        try:
            self.data.prepare(self._reading)
        finally:
            self.progress.finish()
        self._see_data(trained_on, place, accept_data)
        if fresh and self.fabric.is_global_zero and (aside := set_aside(self.run)):
            self.progress.say(f"moved the previous checkpoints, samples and logs to {aside}")
        if self.fabric.is_global_zero:
            for each in unusable:
                set_damaged_aside(each.path.parent)
        self.fabric.barrier()
        self._change(place)
        if self.fabric.is_global_zero:
            self.run.clean(self.settings.keep)
        self.fabric.to_device(self.model)
        self.computing = computing(
            *(self.run, self.model, self.fabric, self.settings, self.data),
            *(place, self.progress.say, self.stopping.begin),
        )
        lay_out(self.model, self.computing.memory_format)
        self.resident = resident(self.data, self.fabric.device)
        measuring = Measuring(self.model, self.data, self.spec, self.settings, measured_on(self.fabric, self.settings))
        if self.fabric.is_global_zero:
            measuring.check()
        self.log = log = (
            Log(self.run, place.total, self.settings.loggers, self.spec) if self.fabric.is_global_zero else None
        )
        self.curves = Curves(
            self.run, self.model, self.settings.keep_best, read_log(self.run.log_file), self.settings.patience
        )
        self.monitor = Monitor(self.model, self.run, measuring, self.curves, self.progress, log) if log else None
        every, minutes = self.settings, self.settings.every_minutes
        self.log_due, self.picture_due = Due(every.log_every, min(minutes, 1)), Due(every.sample_every, minutes)
        self.checkpoint_due = Due(every.checkpoint_every, minutes)
        self.stop.doing = "finishing this step and saving"
        hashing()  # its thread starts while there is memory for it
        try:
            self.stopping.begin()
            with suppress(_Enough):
                for segment in segments(self.model, read_history(self.run), place.total):
                    self.model.built.stages, self.model.built.spec = segment.stages, segment.spec
                    place = self._play(place, segment.until)
            if best := self.curves.said():
                self.progress.say(best)
        except Exception as error:
            if not ran_out(error):
                raise
            raise WorkError(
                f"{shortage(error)}; {self._go_back()}; end other programs, or make batches smaller, and resume with: "
                f"gantk train {self.run.typed}"
            ) from error
        finally:
            self.progress.finish()
            if log:
                log.close()
            self.model.requires_grad_(True).eval()
            lay_out(self.model, "contiguous")

    def _see_data(self, trained_on: Mapping[str, Any], place: Place, accept: bool) -> None:
        """Compare the data with the data that the run has been trained on."""
        self.content = content_of(self.data)
        if self.fabric.world_size > 1 and self.fabric.broadcast(self.content) != self.content:
            raise DataError(
                f"device {self.fabric.global_rank + 1} reads other images or labels than the first one: give all of "
                f"them the same data, then resume with: gantk train {self.run.typed}"
            )
        if accept:
            return
        if trained_on:
            found = difference_of_data(trained_on, self.content)
            check_data(found, f"step {place.total}", self.run.typed, "data" not in self.spec)

    def _reading(self, done: float) -> None:
        self.progress.reading(done)
        if self.stop.signal is not None:
            message = f"stopped by {self.stop.signal.name} while reading images; {self.run} is unchanged"
            raise Interrupted(message, self.stop.signal.value)

    def _change(self, place: Place) -> None:
        """Record changes from this step on: of settings, and of the path to the data."""
        before = {**self.model.built.spec, "shape": self.written["shape"]}
        if "data" in self.written and "data" in before:
            before["data"] = resolved("data", part_table("data", self.written["data"]))
        self.spec["shape"] = self.model.built.spec["shape"]
        change_settings(self.model, self.spec, self.stages)
        was, now = difference(as_toml(before), as_toml(self.spec))
        if not (was or now) or not self.fabric.is_global_zero:
            return
        self.progress.say(f"changed from step {place.total} on: {change_text(was, now)}")
        add_change(self.run, Change(place.total, was, now))
        self.run.rewrite(self.spec)

    def _play(self, place: Place, until: int | None) -> Place:
        """Play the stages from a place to the end, or up to a step of the run."""
        stages = self.model.built.stages
        while place.stage < len(stages):
            place = self._stage(place, stages[place.stage], until)
            if place.total == until:
                break
            place, self.states, self.interval = Place(place.stage + 1, 0, place.total), {}, {}
        return place

    def _stage(self, place: Place, stage: Stage, until: int | None) -> Place:
        steps = stage.steps(len(self.data))
        if steps <= place.step:
            return place
        with closing(Batches(self.data, self.seed, stage, self.fabric, self.resident)) as batches:
            return self._steps(place, stage, until, steps, batches)

    def _steps(self, place: Place, stage: Stage, until: int | None, steps: int, batches: Batches) -> Place:
        autocast = autocast_of(self.computing.precision, self.fabric)
        turns = Turns(self.fabric, self.model, stage, self.settings.accumulate, autocast)
        if place.step:
            taken = {player.name: place.step * player.repeats for player in stage.players}
            load_states(turns.optimizers, self.states, self.run.checkpoint(place.total), taken)
        if place.step == 0 and stage.enter is not None:
            seed_everything(derive_seed(self.seed, stage.name, "enter"))
            stage.enter(self.model)
        self._modes(stage)
        recorder = recorder_of(self.fabric, self.settings.cuda_graphs)
        graphs = Graphs(turns, self.model, recorder, self.progress.say)
        reports = Reports(stage, steps, place.step, self.interval, self.fabric.device, self.progress, self.log)
        if stage.batch_size > len(self.data):
            self.progress.say(f"{stage.name}: {larger_than_data(stage.batch_size, len(self.data))}")
        for done in range(place.step, steps):
            try:
                played = self._step(stage, graphs, batches, done, steps)
            except DataError as error:
                self.interval = reports.state()
                raise self._unread(error, Place(place.stage, done, place.total + done - place.step), turns) from error
            reports.add(played, done + 1)
            last, total = done + 1 == steps, place.total + done + 1 - place.step
            reached = Place(place.stage, done + 1, total)
            if self._same(self.log_due(total)) or last:
                self._check(turns, reached)
                self._share(reports)
                reports.report(done + 1, total)
            if (self.picture_due(total) or last) and self.monitor:
                self._check(turns, reached)
                self.monitor.draw(stage, total, self.settings.samples)
            measured: dict[str, float] = {}
            if (last or total % self.settings.measure_every == 0) and self.monitor:
                self._check(turns, reached)
                measured = self.monitor.measure(reports.entry(done + 1, total))
            best = self._same(self.curves.is_best(measured))
            idle = self._same(bool(measured) and self.curves.exhausted)
            enough = self.stop_when is not None and self._same(bool(measured) and self.stop_when(total, measured))
            asked = self.stopping.asked()
            if self._same(self.checkpoint_due(total)) or last or best or enough or idle or asked:
                self._share(reports)
                self.interval = reports.state()
                self._checkpoint(reached, turns)
            if best and self.fabric.is_global_zero:
                self.curves.keep(total, measured)
            if asked:
                self.stopping.tell(asked, reached, stage, steps)
            elif idle and not last:
                self.stopping.tell_idle(reached, self.settings)
            if asked or enough or idle:
                raise _Enough
            if total == until:
                break
        self.interval = reports.state()
        self.states = states_of(turns.optimizers)
        self.progress.finish()
        return reached

    def _step(self, stage: Stage, graphs: Graphs, batches: Batches, done: int, steps: int) -> list[Values]:
        seed = derive_seed(self.seed, stage.name, done, self.fabric.global_rank)
        seed_everything(seed)
        if stage.each is not None:
            stage.each(self.model, done / steps)
        read = batches.of_step(done, steps - 1)  # before anything is changed
        try:
            with blaming(f"stage '{stage.name}', step {done + 1}: "):
                return graphs.play(read, done, done / steps, seed)
        except Diverged as error:
            raise Diverged(f"stage '{stage.name}', step {done + 1}, {error}; {self._go_back()}") from None

    def _modes(self, stage: Stage) -> None:
        """Set the modules that this stage moves to training mode; freeze all others in evaluation mode."""
        self.model.eval().requires_grad_(False)
        for path in stage.moves():
            self.model.get_submodule(path).train()

    def _share(self, reports: Reports) -> None:
        """What is logged is the mean over devices."""
        if self.fabric.world_size > 1:
            reports.share(lambda sums: cast(Tensor, self.fabric.all_reduce(sums, reduce_op="mean")))

    def _same(self, due: bool) -> bool:
        """The value of the first device, so that all devices agree."""
        return bool(self.fabric.broadcast(due)) if self.fabric.world_size > 1 else due

    def _check(self, turns: Turns, place: Place) -> None:
        """What is shown or saved is finite: raises `Diverged` for a step until this place that was not."""
        if found := turns.divergence():
            step = f"stage '{turns.stage.name}', step {place.step - found.ago}"
            when = f" (noticed after step {place.step})" if found.ago else ""
            raise Diverged(f"{step}, {found.what}{when}; {self._go_back()}")

    def _checkpoint(self, place: Place, turns: Turns) -> None:
        self._check(turns, place)
        if bad := first_not_finite(self.model.state_dict()):
            raise Diverged(f"step {place.total}: {bad} contains NaN or infinity; {self._go_back()}")
        if self.fabric.is_global_zero:
            save(self.run, self.model, place, turns.optimizers, self.content, self.settings.keep, self.interval)
        self.fabric.barrier()

    def _unread(self, error: DataError, place: Place, turns: Turns) -> DataError:
        """The error where data can no longer be read; what was trained until then is saved."""
        if place.step == 0 or place.total in self.run.steps() or self.fabric.world_size > 1:
            return DataError(f"{briefly(error)}; {self._go_back()}; resume with: gantk train {self.run.typed}")
        self._checkpoint(place, turns)
        return DataError(f"{briefly(error)}; step {place.total} is saved; resume with: gantk train {self.run.typed}")

    def _go_back(self) -> str:
        steps = self.run.steps()
        return f"the last checkpoint is of step {steps[-1]}" if steps else "there is no checkpoint yet"


def _data(model: Model) -> DataSource:
    """The model's data set; checks that its images have the shape that the model was built for."""
    data = model.built.data if model.built.data is not None else open_data(model.built.spec)
    model.built.spec["shape"] = checked_shape(model.built.spec, data)
    model.built.data = data
    return data
