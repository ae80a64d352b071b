"""gantk: a GAN is put together from parts, a part is a plugin, a paper is a recipe.

The public names are imported on first use, so that `import gantk` (and so the command line) does not wait for torch.
"""

from __future__ import annotations

import importlib
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gantk.building.adopt import save as save
    from gantk.building.build import build as build
    from gantk.building.construct import construct as construct
    from gantk.building.given import register as register
    from gantk.building.load import load as load
    from gantk.data import DataSource as DataSource
    from gantk.evaluation.evaluate import evaluate as evaluate
    from gantk.exports.export import export as export
    from gantk.model import Model as Model
    from gantk.pages.plots import plot_curves as plot_curves
    from gantk.pages.plots import plot_interpolation as plot_interpolation
    from gantk.pages.report import report as report
    from gantk.parts import Condition as Condition
    from gantk.parts import Discriminator as Discriminator
    from gantk.parts import Extractor as Extractor
    from gantk.parts import Generator as Generator
    from gantk.parts import Loss as Loss
    from gantk.parts import Metric as Metric
    from gantk.parts import NoiseSource as NoiseSource
    from gantk.parts import Part as Part
    from gantk.parts import Posterior as Posterior
    from gantk.parts import Refiner as Refiner
    from gantk.parts import Verdict as Verdict
    from gantk.parts import require as require
    from gantk.recipe import AdaptivePreset as AdaptivePreset
    from gantk.recipe import Recipe as Recipe
    from gantk.report.compare import compare as compare
    from gantk.report.show import show as show
    from gantk.reproducing.work import reproduce as reproduce
    from gantk.run.folder import Run as Run
    from gantk.schedule import Binding as Binding
    from gantk.schedule import Joined as Joined
    from gantk.schedule import Play as Play
    from gantk.schedule import Player as Player
    from gantk.schedule import SharedPlay as SharedPlay
    from gantk.schedule import Stage as Stage
    from gantk.schedule import Step as Step
    from gantk.schedule import Terms as Terms
    from gantk.spread import on_devices as on_devices
    from gantk.training import train as train
    from gantk.training.estimate import estimate as estimate

_WHERE = {
    "gantk.building.adopt": ("save",),
    "gantk.building.build": ("build",),
    "gantk.building.given": ("register",),
    "gantk.building.load": ("load",),
    "gantk.data": ("DataSource",),
    "gantk.evaluation.evaluate": ("evaluate",),
    "gantk.exports.export": ("export",),
    "gantk.model": ("Model",),
    "gantk.pages.plots": ("plot_curves", "plot_interpolation"),
    "gantk.recipe": ("AdaptivePreset", "Recipe"),
    "gantk.report.compare": ("compare",),
    "gantk.report.show": ("show",),
    "gantk.reproducing.work": ("reproduce",),
    "gantk.run.folder": ("Run",),
    "gantk.spread": ("on_devices",),
    "gantk.training": ("train",),
    "gantk.training.estimate": ("estimate",),
    "gantk.parts": (
        "Condition",
        "Discriminator",
        "Extractor",
        "Generator",
        "Loss",
        "Metric",
        "NoiseSource",
        "Part",
        "Posterior",
        "Refiner",
        "Verdict",
        "require",
    ),
    "gantk.schedule": ("Binding", "Joined", "Play", "Player", "SharedPlay", "Stage", "Step", "Terms"),
}
_HOME = {name: module for module, names in _WHERE.items() for name in names}

_CALLED = ("construct", "report")
"""Modules that can be called as their function, so that both ways to import the name agree."""

__all__ = [*sorted(_HOME), *_CALLED]


class _Report(ModuleType):
    """The package `gantk.report`, which goes by the name of the function that writes a page of what it draws."""

    def __call__(self, *arguments: Any, **options: Any) -> Any:
        return importlib.import_module("gantk.pages").report(*arguments, **options)


importlib.import_module("gantk.report").__class__ = _Report


def __getattr__(name: str) -> Any:
    if name in _CALLED:
        return importlib.import_module(f"gantk.{name}")
    if name not in _HOME:
        raise AttributeError(f"module 'gantk' has no attribute '{name}'")
    return getattr(importlib.import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
