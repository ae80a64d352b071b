"""No bundled plugin is left without its contract."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest

from gantk.options import parse_part
from gantk.registry import plugins
from gantk.testing import (
    AddonContract,
    DiscriminatorContract,
    ExtractorContract,
    GeneratorContract,
    LossContract,
    NoiseContract,
    RefinerContract,
)
from gantk.testing.base import PluginContract


def _contracts(base: type[PluginContract]) -> set[str]:
    """Names of the plugins that some class of a module beside this one tests."""
    modules = [importlib.import_module(path.stem) for path in Path(__file__).parent.glob("test_*.py")]
    own = [each for module in modules for each in vars(module).values() if isinstance(each, type)]
    here = {module.__name__ for module in modules}
    contracts = [each for each in own if issubclass(each, base) and each.__module__ in here and hasattr(each, "plugin")]
    return {parse_part(contract.plugin)[0] for contract in contracts}


@pytest.mark.parametrize(
    "base",
    [
        NoiseContract,
        GeneratorContract,
        DiscriminatorContract,
        LossContract,
        RefinerContract,
        AddonContract,
        ExtractorContract,
    ],
)
def test_no_bundled_plugin_is_without_its_contract(base: type[PluginContract]) -> None:
    bundled = {plugin.name for plugin in plugins(base.kind) if plugin.package == "gantk"}
    assert bundled - _contracts(base) == set(), (
        "add a class of three lines for each of these, in a module beside this one"
    )
    assert bundled, f"gantk registers no {base.kind}: is it installed?"
