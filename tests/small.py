"""Bundled plugins made small, so that whole trainings take a second."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gantk.building.composition import compose
from gantk.building.spec import bare_name
from gantk.kinds import LISTS, SLOTS
from gantk.registry import plugins

TINY: dict[str, dict[str, str]] = {
    "noise": {
        "gaussian": "gaussian:dim=6",
        "uniform": "uniform:dim=6",
        "de": "de:dim=6,autoencoder='vae:width=4'",
        "sphere": "sphere:dim=6",
        "mixture": "mixture:dim=6,components=4",
    },
    "generator": {
        "gan": "gan:widths=[16]",
        "dcgan": "dcgan:width=4",
        "vae": "vae:width=4",
        "degan": "degan:fc=16,widths=[8],closing_conv=false",
        "aegan": "aegan:width=4,embedding=8",
        "age": "age:width=4",
        "progan": "progan:fmap_base=16,fmap_max=8",
        "r3gan": "r3gan:width=4,largest=4,blocks=1",
        "modulated": "modulated:of='dcgan:width=4',hidden=4",
        "deligan": "deligan:width=4",
        "sagan": "sagan:width=2,attention=8",
        "stackgan": "stackgan:width=2,residual=1",
        "stackgan-v2": "stackgan-v2:width=1,residual=1",
        "aae": "aae:widths=[8]",
        "vaegan": "vaegan:width=2",
        "began": "began:width=2",
        "map-autoencoder": "map-autoencoder:of='aegan:width=4,embedding=8'",
        "class-mixture": "class-mixture:of='aae:widths=[8]'",
        "lapgan": "lapgan:hidden=8,width=2",
    },
    "discriminator": {
        "gan": "gan:widths=[16]",
        "dcgan": "dcgan:width=4",
        "degan": "degan:fc=16,widths=[4,8]",
        "aegan": "aegan:width=4",
        "progan": "progan:fmap_base=16,fmap_max=8",
        "r3gan": "r3gan:width=4,largest=4,blocks=1",
        "projection": "projection:of='dcgan:width=4'",
        "auxiliary": "auxiliary:of='dcgan:width=4'",
        "denoising": "denoising:of='dcgan:width=4',width=8",
        "minibatch": "minibatch:of='dcgan:width=4'",
        "deligan": "deligan:width=4",
        "sagan": "sagan:width=2,attention=8",
        "spectral": "spectral:of='dcgan:width=4,norm=none'",
        "stackgan": "stackgan:width=2,condition_width=4",
        "pyramid": "pyramid:of='stackgan:width=2'",
        "vaegan": "vaegan:width=2",
        "autoencoding": "autoencoding:width=2,embedding=4",
        "ebgan": "ebgan:width=2",
        "code-pair": "code-pair:of='gan:widths=[8]'",
        "lapgan": "lapgan:hidden=8,width=2",
    },
    "refiner": {"denoiser": "denoiser:width=4"},
    "condition": {"class": "class"},
}
"""kind → bundled name → the same plugin, made small."""

ROOMS = ("classic", "degan", "autodecoder", "aegan", "age", "progressive")
"""The plugins of which every pair is tried. Systems beside these are combined in tests of their own."""


def bundled(kind: str) -> tuple[str, ...]:
    """Names of the plugins of a kind in these rooms."""
    rooms = tuple(f"gantk_{room}." for room in ROOMS)
    return tuple(plugin.name for plugin in plugins(kind) if plugin.target.startswith(rooms))


OWN = "its own"
"""The recipe's own part, and no loss but the recipe's own."""


def small_parts(combination: Mapping[str, str]) -> dict[str, Any]:
    """The arguments of a build: every part small, whether it is chosen or the recipe's own."""
    spec = compose(combination["recipe"], {})
    parts: dict[str, Any] = {}
    for slot in SLOTS:
        chosen = combination.get(slot, OWN)
        if chosen == OWN and slot in spec:
            chosen = bare_name(spec[slot])
        if chosen not in (OWN, ""):
            parts[slot] = TINY[slot][chosen]
    for kind in LISTS:
        if combination.get(kind, OWN) not in (OWN, ""):
            parts[kind] = combination[kind]
    return parts
