"""From what a user asks for to a model: a recipe, parts and settings, or another run to start from."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from copy import deepcopy
from functools import partial
from typing import Any

from gantk.building.adaptive import Asked, adapted
from gantk.building.assembly import assemble
from gantk.building.composition import DEFAULT_DATA, as_tables, overlay, recipe_layer
from gantk.building.given import named, source_of
from gantk.building.images import open_data
from gantk.building.mends import mended
from gantk.building.merging import leave_out, merge
from gantk.building.player_settings import notes_on_brought
from gantk.building.presets import DEFAULT_RECIPE
from gantk.building.replaced import notes_on_replaced
from gantk.building.request import Request
from gantk.building.settings import apply_setting, flat, path_of
from gantk.building.spec import Spec, bare_name
from gantk.building.start import other_parts, spec_of_run, start_weights
from gantk.building.title import true_title
from gantk.data import DataSource
from gantk.errors import FitError, GantkError, OptionError
from gantk.model import Model
from gantk.permissions import as_said_by, check_devices
from gantk.run.folder import Run
from gantk.run.located import located

__all__ = ["build"]

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
        lower = recipe_layer(recipe)
    else:
        lower = spec_of_run(located(start_from)[0], chosen)
    if own is not None and (of_data := [path for path in map(path_of, listed) if path.startswith("data.")]):
        raise OptionError(f"--set {of_data[0]}: the data is given from Python and has no options; change it in Python.")
    tables = as_tables(chosen)
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
        check_devices(str(start_from), model.built.spec["train"], [path_of(each) for each in listed])
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
