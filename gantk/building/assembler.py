"""Construct the parts of a spec in the order of their dependencies."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

from torch import nn

from gantk.adapt import Unread
from gantk.building.checks import check_needs, missing_needs
from gantk.building.construct import construct, part_class
from gantk.building.nested import usable_offer
from gantk.building.record import Record
from gantk.building.resolved import recorded, resolved
from gantk.building.spec import Spec, bare_name
from gantk.building.weighed import TooLarge
from gantk.errors import FitError, UsageError
from gantk.model import Model
from gantk.nn import Average
from gantk.options import read_options, write_options
from gantk.parts import ImageShape, Loss, Part
from gantk.recipe import Recipe
from gantk.registry import Given, find
from gantk.seeds import derive_seed, forked

__all__ = ["Assembler"]


class Assembler:
    """Constructs the parts of a spec in the order of their dependencies."""

    def __init__(self, spec: Spec, recipe: Recipe, shape: Mapping[str, Any], fit_noise: bool) -> None:
        self.fit_noise = fit_noise
        self.recipe = recipe
        self.shape = shape
        self.spec: Spec = {k: v for k, v in spec.items() if k not in ("stages", "train", "shape", "versions")}
        self.notes: list[str] = []
        self.handed = False
        for kind in ("recipe", "data"):
            if kind in self.spec:
                self.spec[kind] = resolved(kind, self.spec[kind])

    def model(self, average: Callable[[nn.Module], Average] | None) -> Model:
        image_shape: ImageShape = tuple(self.shape["image_shape"])
        context: dict[str, Any] = {
            "image_shape": image_shape,
            "class_count": len(self.shape.get("classes", ())),
            "class_names": tuple(self.shape.get("classes", ())),
            "label_dim": self.shape.get("label_dim", 0),
        }
        condition = self._part("condition", context)
        noise = self._part("noise", context)
        context["condition_dim"] = condition.dim if condition is not None else 0
        context["noise_dim"] = noise.dim + context["condition_dim"]
        losses = self._list("loss", context)
        addons = self._list("addon", context)
        try:
            generator = self._part("generator", context, losses)
        except FitError as error:
            context["noise_dim"] += self._refit_noise(noise, error, context)
            noise = self._part("noise", context)
            generator = self._part("generator", context, losses)
        generator.condition_dim = context["condition_dim"]
        joining = {**{f"addon '{name}'": part for name, part in addons.items()}, "condition": condition}
        discriminator = self._discriminator(context, losses, self.recipe.judged_shape(generator), joining)
        refiner = self._part("refiner", context)
        metrics = self._list("metric", context)
        model = Model(noise, generator, discriminator, refiner, losses, condition, addons, metrics, average)
        model.built = Record(self.spec, self.recipe, notes=self.notes, handed=self.handed)
        check_needs(model, labeled="classes" in self.shape or "label_dim" in self.shape)
        return model

    def _discriminator(
        self,
        context: Mapping[str, Any],
        losses: Mapping[str, Loss],
        judged: ImageShape,
        joining: Mapping[str, Part | None],
    ) -> Any:
        if "discriminator" not in self.spec:
            return None
        reads = bool(part_class("discriminator", self.spec["discriminator"]["plugin"]).reads_condition)
        part = self._judging(reads, context, losses, judged, joining)
        if bool(part.reads_condition) != reads:  # a wrapper reads conditions if its inner part does
            part = self._judging(not reads, context, losses, judged, joining)
        return part

    def _judging(
        self,
        reads: bool,
        context: Mapping[str, Any],
        losses: Mapping[str, Loss],
        judged: ImageShape,
        joining: Mapping[str, Part | None],
    ) -> Any:
        """Construct a discriminator that reads conditions itself, or one that receives them as additional channels."""
        shown = self._shown(
            judged, {**joining, "condition": None} if reads else joining, judged == context["image_shape"]
        )
        try:
            part = self._part("discriminator", {**context, "image_shape": shown}, losses)
        except FitError as error:
            with_condition = not reads and joining["condition"] is not None
            told = _on_what_is_judged(error, judged, shown if with_condition else judged, context["image_shape"])
            if told is error:
                raise
            raise told from error
        self.notes = [*dict.fromkeys(self.notes)]
        return part

    def _shown(self, shape: ImageShape, joining: Mapping[str, Part | None], are_images: bool) -> ImageShape:
        """The shape of a discriminator's input, from the shape before transforms and conditions."""
        for name, part in joining.items():
            if part is None:
                continue
            try:
                shape = part.shown_shape(shape)
            except FitError as error:
                raise error.about(name) from error
            if not (isinstance(shape, (tuple, list)) and len(shape) == 3 and all(isinstance(n, int) for n in shape)):
                said = f"{type(part).__name__}.shown_shape returned {shape!r:.60}"
                raise FitError(f"{said}; expected (channels, height, width).")
            if not are_images and name != "condition" and type(part).transform is not Part.transform:
                self.notes.append(
                    f"{name} transforms the discriminator's input, which in this recipe is not images but values "
                    f"of shape {list(shape)}."
                )
        return shape

    def _part(self, slot: str, context: Mapping[str, Any], losses: Mapping[str, Loss] | None = None) -> Any:
        if slot not in self.spec:
            return None
        part = self._construct(slot, slot, self.spec[slot], context)
        plugin = find(slot, self.spec[slot]["plugin"])
        if isinstance(plugin, Given) and plugin.thing is part:
            self.spec[slot] = resolved(slot, recorded(slot, self.spec[slot], part, context))
            return part
        for loss, need in [*missing_needs(losses or {}, part)]:
            offer = {} if need in part.provides else usable_offer(part, need, self.spec[slot])
            if offer:
                name = bare_name(self.spec[slot])
                self.notes.append(f"{slot} {name} got {write_options(offer)}, which loss {loss} needs.")
                self.spec[slot] = {**self.spec[slot], **offer}
                part = self._construct(slot, slot, self.spec[slot], context)
        self.spec[slot] = resolved(slot, self.spec[slot])
        return part

    def _construct(self, place: str, kind: str, table: Mapping[str, Any], context: Mapping[str, Any]) -> Any:
        # Each place has its own seed, so that changing a part does not change the initial weights of others.
        with forked(derive_seed(self.spec["seed"], "init", place)):
            try:
                part = construct(kind, table, **context)
            except TooLarge as error:
                raise TooLarge(f"{kind} '{bare_name(table)}': {error}") from error
        _check_declared(kind, part)
        self.notes += getattr(part, "notes", ())
        plugin = find(kind, table["plugin"])
        self.handed |= isinstance(plugin, Given) and not inspect.isclass(plugin.thing) and bool(list(part.parameters()))
        return part

    def _refit_noise(self, noise: Any, error: FitError, context: Mapping[str, Any]) -> int:
        """Set the recipe's noise to the length that a generator given from Python reads; returns the difference."""
        reads = next((each.reads for each in (error, error.__cause__) if isinstance(each, Unread)), 0)
        longer = reads - int(context["noise_dim"])
        options = read_options(part_class("noise", self.spec["noise"]["plugin"]))
        if not (self.fit_noise and reads and longer and "dim" in options and noise.dim + longer >= 1):
            raise error
        self.spec["noise"] = {**self.spec["noise"], "dim": noise.dim + longer}
        what = f"noise {bare_name(self.spec['noise'])} got dim={noise.dim + longer}"
        self.notes.append(f"{what}, which generator {bare_name(self.spec['generator'])} reads.")
        return longer

    def _list(self, kind: str, context: Mapping[str, Any]) -> dict[str, Any]:
        parts: dict[str, Any] = {}
        tables = self.spec.get(kind, [])
        written = []
        for table in tables:
            part = self._construct(f"{kind}.{bare_name(table)}", kind, table, context)
            written.append(resolved(kind, recorded(kind, table, part, context)))
            name = bare_name(written[-1])
            if name in parts:
                raise UsageError(f"{kind} '{name}' is given twice: {', '.join(t['plugin'] for t in tables)}.")
            parts[name] = part
        if kind in self.spec or kind == "loss":
            self.spec[kind] = written
        return parts


def _on_what_is_judged(error: FitError, judged: ImageShape, shown: ImageShape, images: ImageShape) -> FitError:
    """A discriminator's error; if its input is not the plain images, it says what the input is."""
    problem = error.problem.rstrip(".")
    if shown[0] > judged[0]:
        told = FitError(
            f"{problem}; {shown[0] - judged[0]} of these channels are the condition", error.mend, error.also
        )
        told.of_code = error.of_code
        return told
    if judged == images:
        return error
    judges = f"{problem}; in this recipe it judges {list(judged)} computed from the images"
    return FitError(judges, error.mend, "change the generator's options, which determine this size")


def _check_declared(kind: str, part: Any) -> None:
    """Check the types of a part's declarations.

    Raises:
        FitError: a type is wrong.
    """
    name = f"{kind} {type(part).__name__}"
    if kind in ("noise", "condition"):
        dim = getattr(part, "dim", None)
        if not isinstance(dim, int) or dim < 1:
            raise FitError(f"{name} has dim {dim!r}; expected a whole number of 1 or more, set by its constructor.")
    distribution: Any = getattr(part, "distribution", None)
    if kind == "noise" and not isinstance(distribution, str | None):
        raise FitError(f"{name}.distribution is {distribution!r:.60}; expected a name, such as 'normal', or None.")
    prior: Any = getattr(part, "prior", ())
    if kind == "loss" and not (isinstance(prior, tuple) and all(isinstance(each, str) for each in prior)):
        raise FitError(f"{name}.prior is {prior!r:.60}; expected a tuple of names, such as ('normal',).")
    for attribute in ("provides", "needs"):
        said: Any = getattr(part, attribute, frozenset())
        if not isinstance(said, (set, frozenset)):
            raise FitError(
                f"{name}.{attribute} is {said!r:.60}; expected a set of names, such as frozenset({{'logits'}})."
            )
