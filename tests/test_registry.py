"""The registry: found without importing, broken without spoiling, claimed twice without shadowing."""

from __future__ import annotations

import inspect
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from gantk import registry
from gantk.building.composition import compose
from gantk.cli.main import main
from gantk.construct import construct, part_class
from gantk.errors import BrokenPlugin, OptionError, UnknownName
from gantk.kinds import KINDS
from gantk.options import read_options
from gantk.registry import everything, find, plugins

GOOD = '''
import torch
from gantk import NoiseSource

class Ones(NoiseSource):
    """Nothing but ones."""

    def __init__(self, dim: int = 3) -> None:
        super().__init__()
        self.dim = dim

    def sample(self, n, rng=None):
        return torch.ones(n, self.dim)
'''


def install(site: Path, package: str, entry_points: str, **modules: str) -> None:
    """What `pip install` leaves of a distribution: its metadata and its modules."""
    info = site / f"{package.replace('-', '_')}-1.5.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.5\n")
    (info / "entry_points.txt").write_text(entry_points)
    for name, text in modules.items():
        (site / f"{name}.py").write_text(text)


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder of installed packages; modules imported from it are forgotten afterwards."""
    monkeypatch.syspath_prepend(str(tmp_path))
    registry._entry_points.cache_clear()
    before = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - before:
        if str(getattr(sys.modules[name], "__file__", "")).startswith(str(tmp_path)):
            del sys.modules[name]
    registry._entry_points.cache_clear()


def test_a_third_party_plugin_appears_and_works(site: Path) -> None:
    install(site, "third-party", "[gantk.noise]\nones = third_ones:Ones\n", third_ones=GOOD)
    found = find("noise", "ones")
    assert (found.package, found.version, found.qualified) == ("third-party", "1.5", "third-party:ones")
    assert "third_ones" not in sys.modules, "finding a plugin does not import it"
    assert construct("noise", "ones:dim=2").sample(3).tolist() == [[1, 1]] * 3
    assert construct("noise", "third-party:ones").dim == 3
    assert construct("noise", "Third_Party:ones:dim=4").dim == 4


def test_a_broken_plugin_is_reported_and_spoils_nothing(site: Path) -> None:
    install(site, "broken", "[gantk.noise]\nbad = broken_noise:Bad\n", broken_noise="import no_such_module_anywhere\n")
    assert {"bad", "gaussian"} <= {plugin.name for plugin in plugins("noise")}
    with pytest.raises(BrokenPlugin) as broken:
        find("noise", "bad").load()
    for part in ("noise 'bad'", "package broken 1.5", "broken_noise:Bad", "ModuleNotFoundError", "no_such_module"):
        assert part in str(broken.value)
    assert construct("noise", "gaussian:dim=2").dim == 2


@pytest.mark.parametrize(
    ("module", "message"),
    [
        ("", "AttributeError"),
        ("raise SystemExit(3)", "SystemExit"),
        ("1 +", "SyntaxError"),
        ("Bad = 3", "not a subclass of gantk.parts.NoiseSource"),
        ("class Bad: pass", "not a subclass of gantk.parts.NoiseSource"),
    ],
)
def test_ways_to_be_broken(site: Path, module: str, message: str) -> None:
    install(site, "broken", "[gantk.noise]\nbad = broken_noise:Bad\n", broken_noise=module)
    with pytest.raises(BrokenPlugin, match=message):
        part_class("noise", "bad")


def test_a_constructor_that_fails_is_its_plugins_fault(site: Path) -> None:
    failing = GOOD.replace("self.dim = dim", "raise RuntimeError('boom')")
    install(site, "third", "[gantk.noise]\nones = failing_ones:Ones\n", failing_ones=failing)
    with pytest.raises(BrokenPlugin, match=r"noise 'ones' of package third 1\.5 failed: RuntimeError: boom"):
        construct("noise", "ones")


def test_two_packages_that_claim_a_name(site: Path) -> None:
    install(site, "alpha", "[gantk.noise]\nones = ones_a:Ones\n", ones_a=GOOD)
    install(site, "beta", "[gantk.noise]\nones = ones_b:Ones\n", ones_b=GOOD)
    with pytest.raises(UnknownName) as clash:
        find("noise", "ones")
    assert str(clash.value) == "noise 'ones' is claimed by alpha and beta; use alpha:ones or beta:ones."
    assert find("noise", "beta:ones").target == "ones_b:Ones"


def test_a_third_party_cannot_shadow_a_bundled_plugin(site: Path) -> None:
    install(site, "alpha", "[gantk.noise]\ngaussian = ones_c:Ones\n", ones_c=GOOD)
    with pytest.raises(UnknownName, match="alpha:gaussian or gantk:gaussian"):
        construct("noise", "gaussian")
    assert type(construct("noise", "gantk:gaussian")).__name__ == "Gaussian"


@pytest.mark.parametrize(
    ("kind", "name", "message"),
    [
        ("noise", "gausian", "there is no noise 'gausian'. Did you mean 'gaussian'?"),
        ("noise", "other:gaussian", "package 'other' has no noise 'gaussian'; available: gantk:gaussian."),
        ("noise", "gantk:gausian", "there is no noise 'gantk:gausian'. Did you mean 'gaussian'?"),
        (
            "recipe",
            "mnist",
            "there is no recipe 'mnist'; that is the name of a data set. It is named with --data mnist.",
        ),
        (
            "loss",
            "denoiser",
            "there is no loss 'denoiser'; that is the name of a refiner. It is named with --refiner denoiser.",
        ),
        ("nois", "gaussian", "'nois' is not a kind of plugin. Did you mean 'noise'?"),
    ],
)
def test_unknown_names(kind: str, name: str, message: str) -> None:
    with pytest.raises(UnknownName) as unknown:
        find(kind, name)
    assert str(unknown.value) == message


def test_options_are_no_context() -> None:
    with pytest.raises(OptionError, match=r"noise 'gaussian': dim is not a context argument; use 'gaussian:dim=…'"):
        construct("noise", "gaussian", dim=3)


def test_an_unknown_name_far_from_all_lists_them() -> None:
    with pytest.raises(UnknownName, match=r"Known: .*gaussian.*uniform"):
        find("noise", "zzzzzz")


def test_listing_is_sorted_and_complete() -> None:
    for kind in KINDS:
        names = [(plugin.name, plugin.package) for plugin in plugins(kind)]
        assert names == sorted(names)
    assert {plugin.kind for plugin in everything()} <= set(KINDS)


def test_a_preset_is_the_text_of_its_file(site: Path) -> None:
    package = site / "preset_package"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "mine.toml").write_text('extends = "game"\n')
    install(site, "presets", "[gantk.recipe]\nmine = preset_package\nlost = preset_package\n")
    assert find("recipe", "mine").load() == 'extends = "game"\n'
    with pytest.raises(
        BrokenPlugin, match=r"recipe 'lost'.*it has no lost\.toml; put it there, list \*\.toml in .*package-data"
    ):
        find("recipe", "lost").load()


def test_a_preset_extends_a_recipe_with_options(site: Path) -> None:
    extends = {"mine": "game:image_noise=0.25", "thine": "mine", "ours": "mine:image_noise=0", "wrong": "game:noise=1"}
    package = site / "several_presets"
    package.mkdir()
    (package / "__init__.py").touch()
    for name, base in extends.items():
        (package / f"{name}.toml").write_text(f'extends = "{base}"\n')
    entry_points = "".join(f"{name} = several_presets\n" for name in extends)
    install(site, "presets", f"[gantk.recipe]\n{entry_points}")
    assert compose("mine", {})["recipe"] == {"plugin": "gantk:game", "image_noise": "0.25"}
    assert compose("thine", {})["recipe"] == {"plugin": "gantk:game", "image_noise": "0.25"}
    assert compose("thine:image_noise=0.5", {})["recipe"] == {"plugin": "gantk:game", "image_noise": "0.5"}
    assert compose("ours", {})["recipe"] == {"plugin": "gantk:game", "image_noise": "0"}
    with pytest.raises(OptionError, match="recipe 'game' has no option 'noise'"):
        construct("recipe", compose("wrong", {})["recipe"])


def test_listing_imports_neither_torch_nor_a_plugin(tmp_path: Path) -> None:
    install(tmp_path, "trap", "[gantk.noise]\ntrap = trap_module:Trap\n", trap_module="raise SystemExit('imported')\n")
    script = f"""
import json, sys
sys.path.insert(0, {str(tmp_path)!r})
from gantk.registry import everything
names = [f"{{p.kind}} {{p.qualified}}" for p in everything()]
print(json.dumps([names, sorted(sys.modules)]))
"""
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    names, modules = json.loads(ran.stdout)
    assert {"noise trap:trap", "noise gantk:gaussian"} <= set(names)
    heavy = {"torch", "numpy", "matplotlib", "lightning_fabric", "trap_module"}
    assert heavy.isdisjoint(modules)
    assert not [name for name in modules if name.startswith("gantk_")], "bundled plugins are not imported either"


BUNDLED = [plugin for plugin in everything() if plugin.package == "gantk"]


@pytest.mark.parametrize("plugin", BUNDLED, ids=lambda plugin: f"{plugin.kind}-{plugin.name}")
def test_every_bundled_plugin_loads(plugin: registry.Plugin) -> None:
    found = plugin.load()
    if not isinstance(found, str):
        assert read_options(found) is not None


def test_a_claim_on_a_bundled_name_leaves_the_recipes_alone(
    site: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    install(site, "claimant", "[gantk.noise]\ngaussian = ones:Ones\n[gantk.generator]\nvae = ones:Ones\n", ones=GOOD)

    def build(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["gantk", "build", *arguments, "--dry-run"])
        with pytest.raises(SystemExit) as end:
            main()
        return int(end.value.code or 0), *capsys.readouterr()

    assert build("wgan-gp")[0] == 0
    assert build("degan")[0] == 0
    code, _, error = build("wgan-gp", "--noise", "gaussian")
    assert code == 2
    assert "claimant:gaussian or gantk:gaussian" in error
    assert "claimant" in build("wgan-gp", "--noise", "claimant:gaussian")[1]


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_has_an_interface(kind: str) -> None:
    with pytest.raises(UnknownName, match=f"there is no {kind} 'nobody'"):
        construct(kind, "nobody")
    assert inspect.isclass(KINDS[kind].base)
