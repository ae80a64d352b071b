"""Codes of images: the discriminator encodes images if it has a code head, else the generator if it has an encoder.

Either is used only if a player trains it, because codes from random weights are meaningless.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

import torch
from torch import Tensor

from gantk.building.movers import reached
from gantk.chunks import CHUNK
from gantk.errors import FitError
from gantk.model import Model
from gantk.nn import evaluating
from gantk.parts import Discriminator, Generator
from gantk.schedule.step import overlap

__all__ = ["check_reads_codes", "read_codes"]


def check_reads_codes(model: Model) -> None:
    """Raise `FitError` if the model cannot encode images, or if no player trains the modules that encode them."""
    if _discriminator_reads(model) or _generator_reads(model):
        return
    if idle := {**_idle_discriminator(model), **_idle_generator(model)}:
        reads = " and ".join(f"{slot} encodes images with {', '.join(names)}" for slot, names in idle.items())
        mend = "build recipe vae or age" if model.discriminator is None else "build with --loss code"
        raise FitError(f"this model is not trained to encode images: its {reads}, which no player moves; {mend}.")
    if model.condition is not None:
        raise FitError(
            "this model is conditional: it needs a condition to encode an image or to decode a code, and image files "
            "have none. To reconstruct images, build without --condition."
        )
    with_code = "build with --loss code, which trains the discriminator to predict codes"
    with_encoder = "build a recipe that trains an encoder, such as vae or age"
    mend = with_encoder if model.discriminator is None else f"{with_code}, or {with_encoder}"
    raise FitError(f"this model cannot encode images, so it cannot reconstruct them: {mend}.")


def _discriminator_has_codes(model: Model) -> bool:
    # A conditional model's discriminator receives the condition with the image, and could just repeat it.
    return model.discriminator is not None and "code" in model.discriminator.provides and model.condition is None


def _discriminator_reads(model: Model) -> bool:
    return _discriminator_has_codes(model) and not _idle_discriminator(model)


def _generator_reads(model: Model) -> bool:
    if model.condition is not None and not model.generator.unconditional_codes:
        return False
    return "posterior" in model.generator.provides and not _idle_generator(model)


def _idle_discriminator(model: Model) -> dict[str, list[str]]:
    if not _discriminator_has_codes(model):
        return {}
    return _idle(model, "discriminator", lambda: _predicted(model, torch.zeros(2, *model.image_shape)))


def _idle_generator(model: Model) -> dict[str, list[str]]:
    if "posterior" not in model.generator.provides:
        return {}
    images = torch.zeros(2, *model.image_shape, device=model.device)
    return _idle(model, "generator", lambda: model.generator.encode(images).mean)


def _idle(model: Model, slot: str, codes: Callable[[], Tensor]) -> dict[str, list[str]]:
    """The slot → the untrained modules that compute its codes; empty if all of them are trained.

    Untrained modules are known for models that gantk built. A model that was assembled by hand counts as trained.
    """
    known = model.built.spec.get("untrained", []) if model.is_built else []
    if not any(overlap([path], [slot]) for path in known):
        return {}
    parameters = [p for p in model.get_submodule(slot).parameters() if not p.requires_grad]
    with evaluating(model), torch.enable_grad():
        for parameter in parameters:
            parameter.requires_grad_(True)
        try:
            read = reached([codes()])
        finally:
            for parameter in parameters:
                parameter.requires_grad_(False)
    names = [name for name, parameter in model.named_parameters() if id(parameter) in read]
    idle = [path for path in known if overlap([path], names)]
    return {slot: idle} if idle else {}


def _predicted(model: Model, images: Tensor) -> Tensor:
    judged = (
        images.to(model.device) if not model.is_built else model.built.recipe.judged(model, images.to(model.device))
    )
    return cast(Tensor, cast(Discriminator, model.discriminator)(judged).code)


@torch.no_grad()
def read_codes(model: Model, images: Tensor) -> Tensor:
    """The codes `[N, dim]` of `[N, C, H, W]` images in [-1, 1], on the CPU.

    The discriminator predicts them if it has a trained code head; else they are the mean of the generator's posterior.
    They are computed in evaluation mode and without gradients.

    Raises:
        FitError: the model cannot encode images, or no player trains the modules that encode them.
    """
    check_reads_codes(model)
    by_discriminator = _discriminator_reads(model)
    with evaluating(model):
        chunks = [_codes(model, chunk, by_discriminator) for chunk in torch.split(images, CHUNK)] if len(images) else []
    return torch.cat(chunks) if chunks else torch.empty(0, model.noise.dim)


def _codes(model: Model, images: Tensor, by_discriminator: bool) -> Tensor:
    # The last chunk is padded, since kernels may round differently for another batch size.
    full = torch.cat([images, images[:1].expand(CHUNK - len(images), *images.shape[1:])]).to(model.device)
    if by_discriminator:
        codes = _predicted(model, full)
    else:
        codes = cast(Generator, model.sampler("generator")).encode(full).mean
    return codes[: len(images)].float().cpu()
