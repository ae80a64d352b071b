"""`gantk.train`: prepare and start a training."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch

from gantk.building.adopt import adopt
from gantk.building.assembly import assemble
from gantk.building.changes import checked_settings
from gantk.building.given import source_of
from gantk.building.settings import flat, path_of
from gantk.building.train_settings import TrainSettings
from gantk.duration import seconds_of
from gantk.errors import UsageError
from gantk.model import Model
from gantk.permissions import as_said_by, check_devices
from gantk.run.checkpoints import Place, create, save
from gantk.run.folder import Run
from gantk.run.history import as_toml
from gantk.run.places import free_place
from gantk.seeds import forked
from gantk.training.kept import keeping_memory
from gantk.training.progress import Progress, for_stream
from gantk.training.signals import stop_on_signals
from gantk.training.trainer import StopWhen, Trainer

__all__ = ["train"]


def train(
    model: Model,
    run: str | os.PathLike[str] | Run | None = None,
    *,
    data: Any = None,
    recipe: Any = None,
    seed: int | None = None,
    fresh: bool = False,
    settings: Mapping[str, Any] | Sequence[str] = (),
    accept_data: bool = False,
    progress: Progress | None = None,
    stop_when: StopWhen | None = None,
    time: str | float | None = None,
) -> Model:
    """Train a model in a run folder, or resume its training.

    Args:
        model: the result of `gantk.build` or `gantk.load`, or a `gantk.Model` that was assembled by hand.
        run: the folder, which is created if it does not exist. By default, the one in which the model was last trained
            or saved, or from which it was loaded, or else a new one in `runs`, which is printed.
        data: the data, as for `gantk.build`, for a model that was assembled by hand, or loaded without its data from
            Python.
        recipe: the recipe for a model that was assembled by hand; by default a DCGAN game.
        seed: random seed for a model that was assembled by hand; 0 by default.
        fresh: start over; the run's checkpoints, samples and logs are moved away first.
        settings: settings of stages and of training to change from this step on, such as
            `{"stages.game.length": "20 epochs"}`. They are recorded in the run's `history.toml`.
        accept_data: continue with data that differs from the data of the run so far.
        progress: receives progress updates; by default a progress bar, or lines if standard error is not a terminal.
        stop_when: called after every measurement with the step and the figures, such as `measure/prdc/coverage`; if it
            returns true, training is saved and stops. It can be resumed.
        time: how long to train at most, such as `"2h"` or a number of seconds; then training is saved and stops. It can
            be resumed.

    Raises:
        OptionError: the time is not a duration.
        UsageError: a setting is unknown, or cannot be changed at this step; or the model's weights were changed, while
            the run would resume from its own.
        DataError: the data differs from the data that the run has been trained on.
        RunError: the folder contains another model's run, or something else.
        Diverged: a loss, gradient or weight became NaN or infinite; the last checkpoint is kept.
        Interrupted: SIGINT, SIGTERM, SIGHUP, SIGUSR1 or SIGUSR2 was received; everything is saved.
    """
    listed, seconds = flat(settings), None if time is None else seconds_of(time)
    if not model.is_built:
        adopt(model, recipe=recipe, data=data, seed=seed, settings=listed)
        listed = []
    else:
        _take(model, recipe, data, seed)
    _check_types(model)
    progress = progress or for_stream()
    where = run if run is not None else model.built.run
    if where is None and TrainSettings(**model.built.spec["train"]).processes > 1:
        raise UsageError("training on several devices needs a run: gantk.train(model, RUN).")
    if where is None:
        where = free_place(model.built.spec["preset"])
        progress.say(f"training in {where}")
    place = where if isinstance(where, Run) else Run(where)
    settled = checked_settings(model, listed)[0]["train"]
    check_devices(model.built.said_by, settled, [path_of(each) for each in listed])
    if place.model_toml.exists():
        _check_same(model, place, accept_data)
        _check_unchanged_weights(model, place)
    else:
        create(place, model)
        if model.built.handed or model.built.weights != model.fingerprint():
            save(place, model, Place(), {}, {}, keep=1)
    model.built.run = place
    try:
        with (
            as_said_by(model.built.said_by, listed),
            deterministic(settled["deterministic"]),
            rounded(settled["tf32"]),
            forked(model.built.spec["seed"]),
            keeping_memory(),
            stop_on_signals() as stop,
        ):
            stop.doing = ""  # before the first step, it stops soon
            Trainer(model, place, progress, stop, listed, stop_when, seconds).fit(fresh, accept_data)
    finally:
        model.built.weights = model.fingerprint()
    return model


def _take(model: Model, recipe: Any, data: Any, seed: int | None) -> None:
    for name, value in (("recipe", recipe), ("seed", seed)):
        if value is not None:
            raise UsageError(f"this model was already built with a {name}: omit {name}=…, or build another model.")
    if data is not None:
        source = source_of(data)
        if source is None:
            raise UsageError(f"data is an array, a list, a data set or a gantk.DataSource, not {type(data).__name__}.")
        model.built.data = source


def _check_types(model: Model) -> None:
    """Check that weights are float32: half and double precision are for sampling only."""
    others = {p.dtype for p in model.parameters() if p.is_floating_point()} - {torch.float32}
    if others:
        kind = str(others.pop()).removeprefix("torch.")
        raise UsageError(
            f"this model's weights are {kind}, but training needs float32: use model.float(); "
            "train.precision=bf16-mixed computes in lower precision."
        )


def _check_same(model: Model, run: Run, accept_data: bool) -> None:
    written, spec = run.spec(), model.built.spec
    # A checkpoint records the data that it was trained on.
    over = ("data", "shape") if accept_data or run.steps() else ("shape",)
    if not _same(written, spec, over) and not _same(assemble(written, for_training=False).built.spec, spec, over):
        raise UsageError(
            f"{run} contains another model: train that one with gantk train {run.typed}, or choose another path."
        )


def _check_unchanged_weights(model: Model, run: Run) -> None:
    """Do not silently replace weights that the user changed with those of a checkpoint."""
    if (run.steps() or run.start.exists()) and model.built.weights != model.fingerprint():
        raise UsageError(
            f"the weights of this model were changed since gantk built, loaded or trained it, but {run} resumes from "
            f"its own weights: load them with gantk.load({str(run)!r}), train the changed ones with "
            "gantk.train(model, ANOTHER_RUN), or save them with model.save(ANOTHER_RUN)."
        )


def _same(one: Mapping[str, Any], other: Mapping[str, Any], over: Sequence[str]) -> bool:
    """Whether two specs are equal as TOML, ignoring the given entries."""
    first, second = ({**as_toml(spec), **dict.fromkeys(over)} for spec in (one, other))
    return first == second


@contextmanager
def deterministic(wanted: bool = True) -> Iterator[None]:
    """Use torch's deterministic kernels, if they exist, within this context, or else whatever is fastest."""
    before = torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled()
    fill = torch.utils.deterministic.fill_uninitialized_memory  # type: ignore[attr-defined]
    benchmark = torch.backends.cudnn.benchmark
    if wanted:
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.use_deterministic_algorithms(wanted, warn_only=wanted)
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    torch.backends.cudnn.benchmark = not wanted
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before[0], warn_only=before[1])
        torch.utils.deterministic.fill_uninitialized_memory = fill  # type: ignore[attr-defined]
        torch.backends.cudnn.benchmark = benchmark


@contextmanager
def rounded(tf32: bool) -> Iterator[None]:
    """Within this context, products and convolutions of float32 on CUDA devices round to TF32, or not."""
    cudnn: Any = torch.backends.cudnn
    kinds: Any = (torch.backends.cuda.matmul, cudnn.conv, cudnn.rnn)
    before = [kind.fp32_precision for kind in kinds]
    for kind in kinds:
        kind.fp32_precision = "tf32" if tf32 else "ieee"
    try:
        yield
    finally:
        for kind, precision in zip(kinds, before, strict=True):
            kind.fp32_precision = precision
