"""Assembly: from a spec to a model whose parts are checked to fit each other."""

from __future__ import annotations

import importlib.metadata
import math
import os
import platform
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import asdict
from functools import partial
from typing import Any

import torch

from gantk.building.adaptive import Asked, adapted
from gantk.building.assembler import Assembler
from gantk.building.checks import better_when, check_shapes, notes_on_batches
from gantk.building.construct import construct, part_class
from gantk.building.faults import blaming
from gantk.building.given import named, source_of
from gantk.building.mends import mended
from gantk.building.movers import notes_on_movers, untrained
from gantk.building.objectives import notes_on_unheard
from gantk.building.player_settings import notes_on_brought
from gantk.building.priors import check_priors
from gantk.building.replaced import notes_on_replaced
from gantk.building.request import Request
from gantk.building.resolved import plain
from gantk.building.spec import (
    DEFAULT_RECIPE,
    Spec,
    apply_setting,
    bare_name,
    combine,
    combine_losses,
    flat,
    leave_out,
    merge,
    normalize,
    part_table,
    path_of,
    recipe_spec,
)
from gantk.building.stage_settings import resolve_stages
from gantk.building.start import other_parts, spec_of_run, start_weights
from gantk.building.title import SIZE, true_title
from gantk.building.train_settings import TrainSettings
from gantk.building.trial import SEVERAL, try_stages
from gantk.building.weighed import Weighed
from gantk.data import DataSource
from gantk.errors import DataError, FitError, GantkError, OptionError, UsageError
from gantk.kinds import KINDS, LISTS, SLOTS
from gantk.memory import as_text, most_for_data
from gantk.model import Model
from gantk.options import check_options
from gantk.parts import Condition
from gantk.permissions import as_said_by, check_devices
from gantk.recipe import Recipe
from gantk.registry import PYTHON
from gantk.run.folder import Run
from gantk.run.located import located
from gantk.schedule import Stage
from gantk.seeds import check_seed, derive_seed, forked

__all__ = ["DEFAULT_RECIPE", "assemble", "build", "checked_shape", "compose", "open_data"]

DEFAULT_DATA = "gantk:digits"
MOST_VALUES = 1 << 28
"""Values of one image, at most."""

PartLike = Any
"""A name with options, such as `"de:dim=64"`, `("de", {"dim": 64})` or `{"plugin": "de", "dim": 64}`; or code in place
of the name: a class, a part, any `torch.nn.Module`, a function, `"FILE.py:NAME"`."""


def build(
    recipe: PartLike | None = None,
    *,
    data: Any = None,
    noise: PartLike | None = None,
    generator: PartLike | None = None,
    discriminator: PartLike | None = None,
    refiner: PartLike | None = None,
    condition: PartLike | None = None,
    loss: PartLike | Sequence[PartLike] | None = None,
    addon: PartLike | Sequence[PartLike] | None = None,
    metric: PartLike | Sequence[PartLike] | None = None,
    seed: int | None = None,
    settings: Mapping[str, Any] | Sequence[str] = (),
    start_from: str | os.PathLike[str] | None = None,
    without: str | Sequence[str] = (),
    time: str | float | None = None,
) -> Model:
    """Build a model from a recipe and parts of your choice, and check that everything fits.

    Args:
        recipe: a recipe's name; by default a DCGAN game.
        data: a data plugin, a folder, a zip or an image file; an array or tensor of images, a list of images, (images,
            labels), a `torch.utils.data.Dataset`, or your own `gantk.DataSource`; by default the embedded digits.
        noise, generator, discriminator, refiner: parts in place of the recipe's, such as `"de"`, `"de:dim=64"`,
            `("de", {"dim": 64})` or `{"plugin": "de", "dim": 64}`; or a class, a part, any `torch.nn.Module`, a
            function or `"FILE.py:NAME"`, alone or with options, such as `(MyGenerator, {"width": 32})`.
        condition: what images are conditioned on, such as `"class"`, for a conditional model.
        loss: one or more losses: an adversarial one replaces the recipe's, others are added.
        addon: further parts that join the game, such as augmentations, in addition to the recipe's.
        metric: metrics to measure during training, in addition to the recipe's.
        seed: random seed of the initial weights and of training; by default 0.
        settings: `{"stages.game.length": "5 epochs", …}`, also nested, or `["stages.game.length=5 epochs", …]`.
        without: parts of the recipe to leave out, such as `"hidden"` or `"loss.hidden"`; `"loss"` is the whole list.
        start_from: a run, or the folder of one of its checkpoints, to fine-tune: training starts from its weights, and
            its parts, data and settings replace the recipe's. Parts with other shapes start from new weights, with a
            note.
        time: how long training may take on this machine, in seconds or as `"1h"`, for a recipe that chooses its values
            for it (`gantk.AdaptivePreset`).

    Raises:
        UsageError: a name or an option is unknown, or the parts do not fit; the message says how to fix it.
        DataError: the data cannot be read.
    """
    own = source_of(data)
    given = {
        "noise": noise,
        "generator": generator,
        "discriminator": discriminator,
        "refiner": refiner,
        "condition": condition,
        "loss": loss,
        "addon": addon,
        "metric": metric,
        "data": data if own is None else None,
        "seed": seed,
    }
    chosen: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
    listed = flat(settings)
    left_out = [without] if isinstance(without, str) else without
    with as_said_by("" if start_from is None else str(start_from), chosen, listed):
        return _built(recipe, own, chosen, listed, left_out, start_from, time)


def _built(
    recipe: PartLike | None,
    own: DataSource | None,
    chosen: Mapping[str, Any],
    listed: Sequence[Any],
    left_out: Sequence[str],
    start_from: str | os.PathLike[str] | None,
    time: str | float | None,
) -> Model:
    if start_from is None or recipe is not None:
        lower = _recipe_layer(recipe)
    else:
        lower = spec_of_run(located(start_from)[0], chosen)
    if own is not None and (of_data := [path for path in map(path_of, listed) if path.startswith("data.")]):
        raise OptionError(f"--set {of_data[0]}: the data is given from Python and has no options; change it in Python.")
    tables = _tables(chosen)
    reasons: list[str] = []
    if recipe is not None or time is not None:
        given_data = own if own is not None else _merged_data(lower, tables, listed)
        asked_recipe = named("recipe", DEFAULT_RECIPE if recipe is None else recipe)
        asked = Asked(tables, left_out, [path_of(each) for each in listed])
        lower, options, reasons = adapted(asked_recipe, lower, given_data, time, asked)
        if options:
            tables["data"] = {**options, **(tables if "data" in tables else lower)["data"]}

    def described(asked: Request) -> Spec:
        spec = overlay(asked.lower, asked.chosen, asked.settings, asked.without)
        if own is not None:
            spec.pop("data", None)
        true_title(spec, asked.lower, DEFAULT_DATA)
        return spec

    def assembled(asked: Request, data: DataSource | None = own) -> Model:
        set_noise = any(path_of(each).startswith("noise.") for each in asked.settings)
        return assemble(described(asked), data, fit_noise=not set_noise and "noise" not in asked.chosen)

    request = Request(lower, tables, tuple(left_out), tuple(listed))
    try:
        model = assembled(request)
    except FitError as error:
        opened = own if own is not None else open_data(described(request))
        raise mended(error, request, partial(assembled, data=opened), described) from error
    model.built.notes[:0] = reasons
    without_those = deepcopy(lower)
    for name in left_out:
        leave_out(without_those, name)
    model.built.notes += notes_on_replaced(without_those, request.chosen, model.built.spec)
    if start_from is not None:
        check_devices(str(start_from), model.built.spec["train"]["devices"], [path_of(each) for each in listed])
        model.built.said_by = str(start_from)
        start_weights(model, start_from, _model_of(located(start_from)[0]))
        if recipe is None and other_parts(chosen):
            again = "with other parts, stages have the recipe's settings, not the run's; set them with --set stages.…."
            model.built.notes.append(again)
        model.built.weights = model.fingerprint()
    if left_out and model.discriminator is not None and not any(loss.adversarial for _, loss in model.losses):
        model.built.notes.append("no adversarial loss is left, which a game needs; add one with --loss.")
    others = {bare_name(loss) for loss in lower.get("loss", [])}
    added = {name: loss for name, loss in model.losses if name not in others}
    said = [path_of(each).rpartition(".")[2] for each in listed]
    model.built.notes += notes_on_brought(model.built.stages, added, said)
    return model


def _model_of(run: Run) -> Model | None:
    """A run's own model, which its checkpoints must fit; `None` if it cannot be built here, as without its plugins."""
    try:
        return assemble(run.spec(), for_training=False)
    except GantkError:
        return None


def _merged_data(lower: Spec, tables: Spec, settings: Sequence[Any]) -> Mapping[str, Any]:
    """The table of the data that a user chose, with the user's settings."""
    spec = merge({"data": lower["data"]}, {"data": tables["data"]} if "data" in tables else {})
    for setting in settings:
        if path_of(setting).startswith("data."):
            apply_setting(spec, setting)
    found: Mapping[str, Any] = spec["data"]
    return found


def compose(recipe: Any, chosen: Mapping[str, Any], settings: Sequence[str | tuple[str, Any]] = ()) -> Spec:
    """The spec of a recipe, overridden by a user's parts and then by the user's settings."""
    return overlay(_recipe_layer(recipe), chosen, settings)


def _recipe_layer(recipe: Any) -> Spec:
    data = normalize({"data": DEFAULT_DATA}, "default")["data"]
    return merge({"data": data}, recipe_spec(named("recipe", DEFAULT_RECIPE if recipe is None else recipe)))


def overlay(
    lower: Spec,
    chosen: Mapping[str, Any],
    settings: Sequence[str | tuple[str, Any]] = (),
    without: Sequence[str] = (),
) -> Spec:
    """A spec without the parts that a user leaves out."""
    lower = deepcopy(lower)
    for name in without:
        leave_out(lower, name)
    upper = _tables(chosen)
    for kind in LISTS:
        if kind in upper:
            upper[kind] = _combined(kind, lower.get(kind, []), upper[kind])
    spec = merge(lower, upper)
    for setting in settings:
        apply_setting(spec, setting)
    return spec


def _tables(chosen: Mapping[str, Any]) -> Spec:
    """A user's choices, each part as a table."""
    return normalize({kind: named(kind, value) if kind in KINDS else value for kind, value in chosen.items()}, "build")


def _combined(kind: str, lower: list[dict[str, Any]], upper: list[dict[str, Any]]) -> list[dict[str, Any]]:
    named = [part["plugin"] for part in upper]
    if twice := {name for name in named if named.count(name) > 1}:
        raise UsageError(f"{kind} {', '.join(sorted(twice))} is given twice: a model has each {kind} once.")
    handed = {bare_name(part) for part in upper if part["plugin"].startswith(f"{PYTHON}:")}
    lower = [part for part in lower if bare_name(part) not in handed]
    if kind != "loss":
        return combine(lower, upper)
    adversarial = {loss["plugin"]: part_class("loss", loss["plugin"]).adversarial for loss in [*lower, *upper]}
    return combine_losses(lower, upper, adversarial)


def open_data(spec: Spec) -> DataSource:
    """The data source that a spec names."""
    if "data" not in spec:
        raise UsageError("this model was built on data given from Python; pass the same data again with data=….")
    return construct("data", spec["data"])


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
        if stage.batch_size % train.devices:
            sizes = f"{stage.batch_size} images per batch is not divisible by {train.devices} devices"
            raise UsageError(f"stage '{stage.name}': {sizes}.")
    if train.keep_best:
        better_when(model, train.keep_best)
    if for_training:
        built.notes += _notes_on_images(shape["image_shape"])
        with forked(derive_seed(spec["seed"], "check")):
            labels = data.labels(range(min(SEVERAL, len(data)))) if data is not None else None
            with _of_code():
                check_shapes(model, tuple(shape["image_shape"]), recipe, labels, len(shape.get("classes", ())))
            built.notes += check_priors(model, built.stages)
            with _of_code():
                moved = try_stages(model, built.stages, labels, train.devices)
            idle = untrained(model, moved)
            built.spec = {k: v for k, v in {**built.spec, "untrained": idle}.items() if k != "untrained" or idle}
            built.notes += notes_on_movers(idle)
            built.notes += notes_on_unheard(model, built.stages)
            built.notes += notes_on_batches(built.stages, shape["images"])
    stages = {stage.name: plain(stage.settings()) for stage in built.stages}
    built.spec |= {
        "stages": stages,
        "train": asdict(train),
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


def checked_shape(spec: Spec, data: DataSource | None) -> Mapping[str, Any]:
    """The shape of the data, after checking that it is the one that the model was built for.

    Training checks whether they are the images that a run was trained on.
    """
    built: Mapping[str, Any] = spec.get("shape", {})
    if (built or data is None) and not _is_shape(built):
        raise OptionError("the table [shape] of model.toml is damaged: restore it, or build a new run.")
    if data is None:
        return built
    found = _shape(data)
    if built and built["image_shape"] != found["image_shape"]:
        before, now = built["image_shape"], found["image_shape"]
        raise DataError(
            f"the model was built for images {before} (channels, height, width), but these are {now}: convert them to "
            "that size and color, or build a new run."
        )
    return found


def _is_shape(table: Any) -> bool:
    """Whether a table of a spec says what images are like, in sizes that images have."""
    if not isinstance(table, Mapping) or not isinstance(table.get("image_shape"), list | tuple):
        return False
    sides, counts = table["image_shape"], (table.get("images", 0), table.get("label_dim", 1))
    whole = all(hasattr(each, "__index__") and each > 0 for each in (*sides, *counts))
    classes = table.get("classes", [])
    named = isinstance(classes, list | tuple) and all(isinstance(name, str) for name in classes)
    return whole and named and len(sides) == 3 and math.prod(sides) <= MOST_VALUES


def _shape(data: DataSource) -> dict[str, Any]:
    classes = {"classes": list(data.classes)} if data.classes else {}
    vectors = {"label_dim": data.label_dim} if data.label_dim else {}
    return {"image_shape": list(data.image_shape), "images": len(data), **classes, **vectors}


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
