"""Assembly: from a spec to a model whose parts are checked to fit each other."""

from __future__ import annotations

import importlib.metadata
import math
import platform
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict

import torch

from gantk.building.assembler import Assembler
from gantk.building.checks import better_when, check_shapes, notes_on_batches
from gantk.building.construct import construct
from gantk.building.faults import blaming
from gantk.building.images import checked_shape, open_data
from gantk.building.movers import notes_on_movers, untrained
from gantk.building.objectives import notes_on_unheard
from gantk.building.priors import check_priors
from gantk.building.resolved import plain
from gantk.building.spec import Spec, bare_name, normalize, part_table
from gantk.building.stage_settings import check_optimizers, resolve_stages
from gantk.building.title import SIZE
from gantk.building.train_settings import TrainSettings
from gantk.building.trial import SEVERAL, try_stages
from gantk.building.weighed import Weighed
from gantk.data import DataSource
from gantk.errors import FitError, OptionError, UsageError
from gantk.kinds import LISTS, SLOTS
from gantk.memory import as_text, most_for_data
from gantk.model import Model
from gantk.options import check_options
from gantk.parts import Condition
from gantk.recipe import Recipe
from gantk.registry import PYTHON
from gantk.run.loggers import check_installed
from gantk.schedule import Stage
from gantk.seeds import check_seed, derive_seed, forked

__all__ = ["assemble"]


@blaming()
def assemble(
    spec: Spec, data: DataSource | None = None, *, for_training: bool = True, fit_noise: bool = False
) -> Model:
    """Build the model of a spec, and resolve every value into `model.built.spec`.

    Args:
        spec: a composed spec, or the content of `model.toml`.
        data: the data source, unless the spec names it.
        for_training: whether to open the spec's data and check that everything fits; otherwise, the spec's `shape` is
            trusted.
        fit_noise: whether the length of the noise may be set to the input size of a given generator.
    """
    spec = normalize(spec, "the model")
    spec["recipe"] = part_table("recipe", spec.get("recipe"))
    spec["seed"] = check_seed(spec.get("seed", 0))
    if data is None and for_training:
        data = open_data(spec)
    shape = checked_shape(spec, data)
    if SIZE in spec.get("title", ""):
        spec["title"] = spec["title"].replace(SIZE, "×".join(map(str, shape["image_shape"][1:])))
    recipe = construct("recipe", spec["recipe"])
    _check_slots(spec, recipe)
    train = TrainSettings(**check_options(TrainSettings, spec.get("train", {}), "train"))
    if for_training:
        check_installed(train.loggers)
    with Weighed():
        model = Assembler(spec, recipe, shape, fit_noise).model(train.average()).to("cpu")
    built = model.built
    built.data = data
    if model.condition is not None and data is not None and for_training:
        _see_labels(model.condition, data)
    with forked(derive_seed(spec["seed"], "init", "recipe")):
        built.stages = resolve_stages(model, recipe, spec.get("stages", {}))
    for stage in built.stages:
        _check_batch(stage, shape["image_shape"])
        if stage.batch_size % train.processes:
            sizes = f"{stage.batch_size} images per batch is not divisible by {train.processes} devices"
            raise UsageError(f"stage '{stage.name}': {sizes}.")
    if train.keep_best:
        better_when(model, train.keep_best)
    if for_training:
        check_optimizers(built.stages)
        built.notes += _notes_on_images(shape["image_shape"])
        with forked(derive_seed(spec["seed"], "check")):
            labels = data.labels(range(min(SEVERAL, len(data)))) if data is not None else None
            with _of_code():
                check_shapes(model, tuple(shape["image_shape"]), recipe, labels, len(shape.get("classes", ())))
            built.notes += check_priors(model, built.stages)
            with _of_code():
                moved = try_stages(model, built.stages, labels, train.processes * train.accumulate)
            idle = untrained(model, moved)
            built.spec = {k: v for k, v in {**built.spec, "untrained": idle}.items() if k != "untrained" or idle}
            built.notes += notes_on_movers(idle)
            built.notes += notes_on_unheard(model, built.stages)
            built.notes += notes_on_batches(built.stages, shape["images"])
    stages = {stage.name: plain(stage.settings()) for stage in built.stages}
    built.spec |= {
        "stages": stages,
        "train": plain(asdict(train)),
        "shape": shape,
        "versions": _versions(built.spec),
    }
    built.weights = model.fingerprint()
    return model.eval()


@contextmanager
def _of_code() -> Iterator[None]:
    """Errors here are a part's own, unless they have advice on other parts."""
    try:
        yield
    except FitError as error:
        error.of_code = not error.mend
        raise


def _notes_on_images(image_shape: Sequence[int]) -> list[str]:
    if image_shape[0] <= 4:
        return []
    channels = f"images have {image_shape[0]} channels, and a picture has 1 to 4"
    return [f"{channels}: training draws no sample grids, and gantk sample writes .npz files only."]


def _check_batch(stage: Stage, image_shape: Sequence[int]) -> None:
    needed, most = 4 * stage.batch_size * math.prod(image_shape), most_for_data()
    if needed > most:
        said = f"{stage.batch_size:,} images per batch take {as_text(needed)}, more than {as_text(most)}"
        raise OptionError(f"stage '{stage.name}': {said}: set a smaller batch_size.")


def _see_labels(condition: Condition, data: DataSource) -> None:
    labels = data.labels(range(len(data)))
    if labels is not None:
        condition.seen(labels)


def _check_slots(spec: Spec, recipe: Recipe) -> None:
    name = spec.get("preset", bare_name(spec["recipe"]))
    if missing := [slot for slot in recipe.slots if slot not in spec]:
        flags = " and ".join(f"--{slot}" for slot in missing)
        give = f"give {'one' if len(missing) == 1 else 'them'} with {flags}"
        raise FitError(f"recipe '{name}' needs a {' and a '.join(missing)}", give)
    if excess := [slot for slot in SLOTS if slot in spec and slot not in (*recipe.slots, *recipe.optional)]:
        flags = " and ".join(f"--{slot}" for slot in excess)
        leave = f"leave out {flags}, or choose another recipe"
        raise FitError(f"recipe '{name}' takes no {' and no '.join(excess)}", leave)


def _versions(spec: Spec) -> dict[str, str]:
    tables = [spec[slot] for slot in ("recipe", "data", *SLOTS) if slot in spec]
    tables += [table for slot in LISTS for table in spec.get(slot, [])]
    packages = sorted({table["plugin"].rpartition(":")[0] for table in tables} - {PYTHON} | {"gantk"})
    versions = {package: importlib.metadata.version(package) for package in packages}
    return {**versions, "python": platform.python_version(), "torch": str(torch.__version__)}
