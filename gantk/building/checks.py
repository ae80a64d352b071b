"""Whether parts fit each other: needs against provides, and shapes from noise to verdict."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from gantk.building.spec import bare_name
from gantk.calls import calling
from gantk.errors import FitError, GantkError, OptionError, nearest
from gantk.model import Model
from gantk.nn import evaluating
from gantk.options import read_options, write_options, write_part
from gantk.parts import Condition, Discriminator, Generator, ImageShape, Loss, Metric, Part, Verdict
from gantk.recipe import Recipe
from gantk.registry import PYTHON
from gantk.schedule import Batch, Binding, Play, Stage
from gantk.schedule.objective import SharedPlay, joining
from gantk.schedule.states import States

__all__ = [
    "better_when",
    "check_needs",
    "check_shapes",
    "larger_than_data",
    "missing_needs",
    "notes_on_batches",
]

DISCRIMINATOR_NEEDS = frozenset({"logits", "hidden", "code", "classes", "per-sample", "energy"})
GENERATOR_NEEDS = frozenset({"posterior", "sphere"})
ON_SPHERE = "project its codes and its noise onto the unit sphere by gantk.nn.OnSphere, and provide 'sphere'"


def missing_needs(losses: Mapping[str, Loss], part: Part) -> Iterator[tuple[str, str]]:
    """(loss, need) for everything that losses need of this part and it does not provide."""
    own = {Discriminator: DISCRIMINATOR_NEEDS, Generator: GENERATOR_NEEDS}
    relevant = next((needs for kind, needs in own.items() if isinstance(part, kind)), frozenset())
    provides: frozenset[str] = getattr(part, "provides", frozenset())
    for name, loss in losses.items():
        for need in sorted((loss.needs & relevant) - provides):
            yield name, need


def check_needs(model: Model, labeled: bool) -> None:
    """Check that every loss finds what it needs; the message of a `FitError` says how to fix it."""
    for slot, part in (("generator", model.generator), ("discriminator", model.discriminator)):
        if part is None:
            continue
        for loss_name, need in missing_needs(dict(model.losses), part):
            name = bare_name(model.built.spec[slot])
            said, mend, also = _mend(slot, model.built.spec[slot], part, need)
            problem = f"loss '{loss_name}' needs {need}, which {slot} '{name}' does not provide{said}"
            raise FitError(problem, mend, also)
    if model.condition is not None and not labeled:
        name = bare_name(model.built.spec["condition"])
        raise FitError(f"condition '{name}' needs labels, but this data set has none", "leave out --condition")
    if model.condition is None and model.discriminator is not None and model.discriminator.reads_condition:
        name = bare_name(model.built.spec["discriminator"])
        raise FitError(
            f"discriminator '{name}' reads conditions, but this model has none",
            "add one with --condition, or choose another discriminator",
        )
    for loss_name, loss in model.losses:
        if "condition" in loss.needs and model.condition is None:
            raise FitError(
                f"loss '{loss_name}' needs a condition, but this model has none",
                "add one with --condition, or leave out the loss",
            )
        if type(loss).transform is not Part.transform and type(loss).joins is Loss.joins:
            raise FitError(
                f"loss '{loss_name}' has a transform, but losses do not join games by themselves: use an addon, or "
                f"define in {type(loss).__name__}.joins which games it joins."
            )
        if model.discriminator is None and loss.needs & DISCRIMINATOR_NEEDS:
            raise FitError(
                f"loss '{loss_name}' needs a discriminator, but this recipe has none", "choose a recipe with a game"
            )
        if "labels" in loss.needs and not labeled:
            raise FitError(
                f"loss '{loss_name}' needs labels, but this data set has none",
                "leave out the loss",
                "choose data with labels",
            )
        unknown = loss.needs - DISCRIMINATOR_NEEDS - GENERATOR_NEEDS - {"condition", "labels"}
        if unknown:
            raise FitError(
                f"loss '{loss_name}' needs {', '.join(sorted(unknown))}, which no kind of part provides",
                "leave out the loss",
            )


def _mend(slot: str, table: Mapping[str, Any], part: Part, need: str) -> tuple[str, str, str]:
    """(remark on a part that does not provide what is needed, how to change it, an alternative)."""
    offer: Mapping[str, Any] = getattr(part, "offers", {}).get(need, {})
    instead = f"choose another --{slot}, or leave the loss out"
    if not offer and slot == "discriminator" and table["plugin"].startswith(f"{PYTHON}:"):
        how = "judge each image by itself, without batch normalization"
        return "", "leave the loss out", f"let it {how if need == 'per-sample' else f'return a dictionary with {need}'}"
    if not offer:
        return "", instead, ON_SPHERE if need == "sphere" else ""
    if unknown := sorted(offer.keys() - read_options(type(part)).keys()):
        return f"; it inherits an offer of {', '.join(unknown)}, which its constructor does not take", instead, ""
    if all(str(table.get(name)) == str(value) for name, value in offer.items()):
        return f"; it offers {write_options(offer)} for that, has it, and still provides {_listed(part)}", instead, ""
    return " with its options", f"use --{slot} {write_part(bare_name(table), offer)}", ""


def _listed(part: Part) -> str:
    return ", ".join(sorted(getattr(part, "provides", ()))) or "nothing"


@torch.no_grad()
def check_shapes(
    model: Model, image_shape: ImageShape, recipe: Recipe, labels: Tensor | None = None, class_count: int = 0
) -> None:
    """Pass two images from noise to verdict, and check what each part returns.

    Args:
        model: the assembled model.
        image_shape: shape of the data's images.
        recipe: the recipe, which determines what the discriminator judges.
        labels: labels of some images, if the data has labels.
        class_count: number of classes of the data; 0 for none.
    """
    labels = None if labels is None else labels[torch.arange(2) % len(labels)]
    judged_shape = recipe.judged_shape(model.generator)
    with evaluating(model):
        drawn, again = (model.noise.sample(2, torch.Generator().manual_seed(0)) for _ in range(2))
        _expect(drawn, (2, model.noise.dim), "noise", model.noise)
        _check_seeded(drawn, again, "noise", model.noise)
        noise = _conditioned(model, drawn, labels)
        images = model.generator(noise)
        _expect(images, (2, *image_shape), "generator", model.generator)
        if "sphere" in model.generator.provides:
            _check_sphere(model.generator, images)
        if model.refiner is not None:
            _expect(model.refiner(images), (2, *image_shape), "refiner", model.refiner)
        if model.discriminator is not None:
            judged = images if judged_shape == image_shape else torch.zeros(2, *judged_shape)
            _check_verdict(_verdict(model, judged, labels), model.discriminator, model.noise_dim, class_count)
            _check_judged(model, recipe, images, judged_shape)


def _check_sphere(generator: Generator, images: Tensor) -> None:
    """Check that the codes of a generator that provides `sphere` have length 1."""
    length = generator.encode(images).mean.norm(dim=1).max().item()
    if abs(length - 1) > 1e-2:
        raise FitError(
            f"generator {type(generator).__name__} provides `sphere`, but its codes have lengths up to {length:.3g}: "
            "project them with gantk.nn.on_sphere, or leave `sphere` out of `provides`."
        )


def _check_judged(model: Model, recipe: Recipe, images: Tensor, expected: ImageShape) -> None:
    """Check that a recipe's `judged` returns the shape that `judged_shape` declares."""
    name = type(recipe).__name__
    try:
        judged = recipe.judged(model, images)
    except GantkError:
        raise
    except Exception as error:
        raise FitError(f"recipe {name}: judged fails on 2 images: {type(error).__name__}: {error}") from error
    found = list(judged.shape) if isinstance(judged, Tensor) else type(judged).__name__
    if found != [2, *expected]:
        raise FitError(
            f"recipe {name}: according to judged_shape, the discriminator judges {list(expected)}, but judged returned "
            f"{found} for 2 images: judged must return [2, {', '.join(map(str, expected))}]."
        )


def _verdict(model: Model, images: Tensor, labels: Tensor | None) -> Any:
    """The verdict on images after the transforms of all parts that join the usual game."""
    step = model.step(Batch(images, labels))
    step.states = States()
    for path, part in model.parts.items():
        step.states.declare(Binding().key(path), part.state)
    play, shown = SharedPlay(step, Binding()), images
    for path, part in joining(model.parts, Binding()).items():
        read = isinstance(part, Condition) and model.discriminator is not None and model.discriminator.reads_condition
        channels, height, width = shown.shape[1:]
        shape = (channels, height, width)
        shown = _transformed(part, shown, play.speaking(path), shape if read else part.shown_shape(shape))
    with calling(f"discriminator {type(model.discriminator).__name__}", f"images {list(shown.shape)}"):
        return play.judge(images)


def _transformed(part: Part, images: Tensor, play: Play, expected: ImageShape) -> Tensor:
    """The images transformed by a part, checked against its `shown_shape`."""
    name, given, shape = type(part).__name__, images.clone(), [len(images), *expected]
    found: Any = part.transform(given, play)
    if not isinstance(found, Tensor):
        raise FitError(f"{name}.transform returned a {type(found).__name__}; expected a tensor {shape}.")
    if list(found.shape) != shape or found.dtype != images.dtype:
        raise FitError(
            f"{name}.transform returned {list(found.shape)} of {found.dtype} for images {list(images.shape)}; "
            f"expected {shape} of {images.dtype}, as shown_shape says."
        )
    if not torch.equal(given, images):
        raise FitError(f"{name}.transform changed its input; return a new tensor.")
    return found


def _conditioned(model: Model, noise: Tensor, labels: Tensor | None) -> Tensor:
    """Noise with drawn conditions, whose length is checked."""
    condition = model.condition
    if condition is None or labels is None:
        return noise
    drawn, again = (condition.draw(3, torch.Generator().manual_seed(0)) for _ in range(2))
    for n, found in ((3, drawn), (2, condition.of(labels))):
        _expect(found, (n, condition.dim), "condition", condition)
    _check_seeded(drawn, again, "condition", condition)
    drawn = drawn[:2]
    return torch.cat([noise, drawn.to(noise)], dim=1)


def _check_seeded(drawn: Tensor, again: Tensor, slot: str, part: Part) -> None:
    if not bool(drawn.isfinite().all()):
        raise FitError(f"{slot} {type(part).__name__} returned NaN or infinite values; expected finite ones.")
    if not torch.equal(drawn, again):
        raise FitError(
            f"{slot} {type(part).__name__} returned two different batches for the same random seed: draw every random "
            "number from its argument `rng`."
        )


def larger_than_data(batch: int, images: int) -> str:
    """A note on a batch that is larger than the data set."""
    times = f"a batch of {batch:,} is larger than the data set of {images:,} image{'s' * (images != 1)}"
    return f"{times}: each step reads images {-(-batch // images):,} times; a smaller batch_size makes more steps"


def notes_on_batches(stages: Sequence[Stage], images: int) -> list[str]:
    """Notes on stages whose batches are larger than the data set."""
    larger = [stage for stage in stages if stage.batch_size > images]
    return [f"stage {stage.name}: {larger_than_data(stage.batch_size, images)}." for stage in larger]


def _expect(found: Any, shape: tuple[int, ...], slot: str, part: Part) -> None:
    name = type(part).__name__
    if not isinstance(found, Tensor):
        raise FitError(f"{slot} {name} returned a {type(found).__name__}; expected a tensor {list(shape)}.")
    if tuple(found.shape) != shape:
        raise FitError(f"{slot} {name} returned {list(found.shape)}; expected {list(shape)}.")


def _check_verdict(verdict: Any, discriminator: Discriminator, noise_dim: int, class_count: int) -> None:
    name = type(discriminator).__name__
    if not isinstance(verdict, Verdict):
        raise FitError(f"discriminator {name} returned a {type(verdict).__name__}; expected a gantk.Verdict.")
    for field in ("logits", "hidden", "code", "classes"):
        if (getattr(verdict, field) is not None) != (field in discriminator.provides):
            if field in discriminator.provides:
                raise FitError(f"discriminator {name} declares `{field}`, but its verdict's {field} is None.")
            raise FitError(f"discriminator {name} returns `{field}`, but does not declare it in `provides`.")
    if verdict.logits is not None:
        _expect(verdict.logits, (2,), "logits of discriminator", discriminator)
    maps: Any = verdict.hidden
    if maps is not None and not (isinstance(maps, (tuple, list)) and maps and all(isinstance(m, Tensor) for m in maps)):
        said = "an empty one" if isinstance(maps, (tuple, list)) and not maps else f"a {type(maps).__name__}"
        raise FitError(f"discriminator {name}: `hidden` is {said}; expected a tuple of activation maps.")
    if verdict.classes is not None and class_count:
        _expect(verdict.classes, (2, class_count), "classes of discriminator", discriminator)
    if verdict.code is not None:
        _expect(verdict.code, (2, noise_dim), "code of discriminator", discriminator)


def better_when(model: Model, figure: str) -> str:
    """Whether `lower` or `higher` values of a metric's figure, such as `frechet/frechet`, are better.

    Raises:
        OptionError: the model has no such figure, or its metric does not declare it.
    """
    metrics = {name: part for name, part in model.metric.items() if isinstance(part, Metric)}
    known = {f"{name}/{each}": way for name, part in metrics.items() for each, way in part.better.items()}
    if figure in known:
        return known[figure]
    mend = nearest(figure, known) if known else " No metric here has such figures: add one with --metric."
    raise OptionError(f"train.keep_best: there is no score '{figure}' to rank checkpoints by.{mend}")
