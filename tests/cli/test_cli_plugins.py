"""list, show and doctor: what is installed, found without importing it, and what is broken, said without spoiling."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from gantk import toml
from gantk.kinds import KINDS
from gantk.registry import everything, plugins
from gantk.report.listing import score_of, summary_of

ONES = '''
import torch
from gantk import NoiseSource

print("a plugin that prints when it is imported")

class Ones(NoiseSource):
    """Nothing but ones."""

    def __init__(self, dim: int = 3) -> None:
        super().__init__()
        self.dim = dim

    def sample(self, n, rng=None):
        return torch.ones(n, self.dim)
'''

PROBE = """
import sys
from gantk.cli.main import main
sys.argv = ["gantk", *sys.argv[1:]]
try:
    main()
except SystemExit as end:
    assert not end.code, end.code
heavy = ("torch", "numpy", "lightning_fabric", "PIL", "tensorboard", "matplotlib")
heavy += ("gantk_classic", "gantk_degan", "gantk_data", "torch._dynamo", "gantk.training.trainer")
print("imported:", [name for name in heavy if name in sys.modules])
"""


@pytest.mark.parametrize(
    "arguments", [["--help"], ["list"], ["list", "recipe"], ["list", "noise", "--json"], ["build", "--help"], []]
)
def test_help_and_list_import_neither_torch_nor_plugins(arguments: list[str], tmp_path: Path) -> None:
    probed = subprocess.run(
        [sys.executable, "-c", PROBE, *arguments], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert probed.stdout.splitlines()[-1] == "imported: []", probed.stderr


@pytest.mark.slow
@pytest.mark.parametrize(
    "arguments",
    [
        ["sample", "trained", "-n", "2", "-o", "x.png"],
        ["show", "trained"],
        ["evaluate", "trained", "--metrics", "prdc", "--extractor", "pixels:size=4", "-n", "20", "--real", "20"],
        ["report", "trained", "-o", "x.html"],
    ],
    ids=lambda arguments: arguments[0],
)
def test_commands_that_do_not_train_import_neither_the_compiler_nor_the_trainer(
    arguments: list[str], trained: Path
) -> None:
    probed = subprocess.run(
        [sys.executable, "-c", PROBE, *arguments], cwd=trained.parent, capture_output=True, text=True, check=False
    )
    said, _, imported = probed.stdout.rpartition("imported: ")
    assert "'torch'" in imported, said + probed.stderr
    for name in ("torch._dynamo", "gantk.training.trainer", "lightning_fabric", "matplotlib"):
        assert f"'{name}'" not in imported


def test_help_names_every_command(gantk, call) -> None:
    shown = gantk("--help").worked().out
    for name in ("list", "show", "build", "train", "sample", "interpolate", "intrinsic-dim", "doctor"):
        assert f"\n  {name} " in shown
    assert call().worked().out == shown, "without a command there is help"
    assert "gantk build --noise de --loss hidden" in shown
    for name in ("list", "show", "build", "train", "sample", "interpolate", "intrinsic-dim", "doctor"):
        assert "--debug" in call(name, "--help").worked().out


def test_the_version_is_the_packages(call) -> None:
    project = toml.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]
    assert call("--version").worked().out.strip().endswith(project["version"])


def test_list_agrees_with_its_json_and_with_the_project(gantk) -> None:
    """In processes of their own: other tests register parts in this one."""
    rows = [line.split() for line in gantk("list").worked().out.splitlines()]
    listed = json.loads(gantk("list", "--json").worked().out)
    assert rows[0][:3] == ["KIND", "NAME", "PACKAGE"]
    assert [[p["kind"], p["name"], p["package"], p["version"]] for p in listed] == [row[:4] for row in rows[1:]]
    project = toml.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]["entry-points"]
    written = {(group.removeprefix("gantk."), name) for group, names in project.items() for name in names}
    assert {(p["kind"], p["name"]) for p in listed if p["package"] == "gantk"} == written


def test_list_of_one_kind(call) -> None:
    shown = json.loads(call("list", "noise", "--json").worked().out)
    assert {"de", "gaussian", "uniform"} <= {plugin["name"] for plugin in shown}
    assert {plugin["kind"] for plugin in shown} == {"noise"}
    error = call("list", "nois").error(2)
    assert "Did you mean 'noise'?" in error
    assert json.loads(call("list", "extractor", "--json").worked().out) == [] or "extractor" in KINDS


def test_a_listed_kind_says_what_each_plugin_is(call) -> None:
    for kind in ("loss", "recipe"):
        lines = {line.split()[1]: line for line in call("list", kind).worked().out.splitlines()[1:]}
        for plugin in plugins(kind):
            if plugin.package == "gantk":
                assert summary_of(plugin), plugin
                shown = lines[plugin.name].removesuffix(score_of(plugin)).rstrip()
                assert shown.endswith(summary_of(plugin))
    assert "DCGAN: strided convolutions" in lines["dcgan"], "a preset's title"
    assert "MNIST: Fréchet" in lines["r3gan"], "what a preset was scored on"
    assert "A discriminator and a generator take turns" in lines["game"], "a docstring's first line"
    assert "A GAN for your own pictures" in lines["pictures"], "the title in code"


def test_show_agrees_with_its_json(call) -> None:
    shown = json.loads(call("show", "noise", "de", "--json").worked().out)
    text = call("show", "noise", "de").worked().out
    assert shown["package"] == "gantk"
    assert "1807.03923" in shown["paper"]
    options = {option["name"]: option for option in shown["options"]}
    assert options["dim"] == {**options["dim"], "type": "int", "default": 128, "required": False}
    assert options["sample"]["default"] is True
    assert shown["summary"] in text
    assert shown["paper"] in text
    rows = {line.split()[0]: line for line in text.splitlines() if line.strip()}
    for name, option in options.items():
        assert option["type"] in rows[name]
        assert option["doc"] in rows[name]
        assert str(option["default"]).lower() in rows[name].lower()


ONLY_IN_THEIR_RECIPES = {"map-autoencoder", "code-pair"}
"""What they provide cannot be told without the noise or the condition of their recipe."""


@pytest.mark.parametrize("plugin", list(everything()), ids=lambda plugin: f"{plugin.kind}-{plugin.name}")
def test_every_plugin_is_shown(plugin, call) -> None:
    if plugin.package != "gantk":
        pytest.skip("not ours")
    shown = json.loads(call("show", plugin.kind, plugin.qualified, "--json").worked().out)
    assert (shown["kind"], shown["name"]) == (plugin.kind, plugin.name)
    assert shown["summary"], "every plugin says what it is"
    assert all(option["doc"] for option in shown["options"]), "every option says what it does"
    if plugin.kind in ("generator", "discriminator") and plugin.name not in ONLY_IN_THEIR_RECIPES:
        assert isinstance(shown["provides"], list)
    text = call("show", plugin.kind, plugin.name).worked().out
    assert text.startswith(f"{plugin.kind} {plugin.name}  (gantk ")


def test_a_preset_is_shown_with_its_values(call) -> None:
    shown = json.loads(call("show", "recipe", "degan-mnist", "--json").worked().out)
    text = call("show", "recipe", "degan-mnist").worked().out
    assert shown["values"]["noise"]["plugin"] == "gantk:de"
    assert "noise.plugin = gantk:de" in text
    assert any(line.startswith("loss.hidden.") for line in text.splitlines())


@pytest.mark.parametrize(
    ("arguments", "mend"),
    [
        (["noise", "dee"], "Did you mean 'de'?"),
        (["nois", "de"], "Did you mean 'noise'?"),
        (["noise", "other:de"], "gantk:de"),
        (["noise"], "expected gantk show noise NAME"),
        (["noise", ""], "de"),
    ],
)
def test_what_is_misspelt_is_shown_the_nearest(arguments: list[str], mend: str, call) -> None:
    assert mend in call("show", *arguments).error(2)


def test_doctor_of_a_sound_installation(gantk) -> None:
    found = json.loads(gantk("doctor", "--json").worked().out)
    assert {"python", "gantk", "torch", "numpy"} <= set(found["versions"])
    assert found["threads"] == 1
    assert found["devices"][0].startswith("cpu")
    for state in found["native"].values():
        assert state["available"] == (state["reason"] == "")
    assert {(p["kind"], p["name"]) for p in found["plugins"]} >= {("noise", "de"), ("recipe", "degan-mnist")}
    assert {p["state"] for p in found["plugins"]} == {"ok"}
    assert found["unreadable"] == {}


@pytest.fixture
def broken_site(install: Callable[..., Path]) -> Path:
    """Packages, each of which is broken in a way of its own, and a good one."""
    install("good-package", "[gantk.noise]\nones = good_ones:Ones\n", good_ones=ONES)
    install("no-module", "[gantk.noise]\nlost = no_such_module_at_all:Lost\n")
    install("exploding", "[gantk.loss]\nboom = exploding:Boom\n", exploding="raise RuntimeError('two\\nlines')\n")
    install("leaving", "[gantk.generator]\nbye = leaving:Bye\n", leaving="import sys\nsys.exit(3)\n")
    install("wrong-kind", "[gantk.noise]\nstring = wrong_kind:text\n", wrong_kind="text = dict\n")
    annotated = (
        "from gantk import NoiseSource\nclass N(NoiseSource):\n    def __init__(self, dim: 'Nowhere' = 1): ...\n"
    )
    install("badly-annotated", "[gantk.noise]\nannotated = badly_annotated:N\n", badly_annotated=annotated)
    install("bad-preset", "[gantk.recipe]\npreset = bad_preset\n", bad_preset="")
    return install("nameless", "[gantk.noise]\nanonymous = good_ones:Ones\n", "Metadata-Version: 2.1\nVersion: 1\n")


@pytest.mark.slow
def test_doctor_shows_each_broken_plugin_and_all_others_as_well(broken_site: Path, call) -> None:
    done = call("doctor", "--json", site=broken_site)
    assert done.code == 1
    assert "Traceback" not in done.err
    found = json.loads(done.out)
    states = {(p["kind"], p["name"]): p for p in found["plugins"]}
    broken = {key: p for key, p in states.items() if p["state"] != "ok"}
    expected = {
        ("noise", "lost"): ("no-module 2.5", "ModuleNotFoundError"),
        ("loss", "boom"): ("exploding 2.5", "RuntimeError: two lines"),
        ("generator", "bye"): ("leaving 2.5", "SystemExit: 3"),
        ("noise", "string"): ("wrong-kind 2.5", "not a subclass of gantk.parts.NoiseSource"),
        ("noise", "annotated"): ("badly-annotated 2.5", "Nowhere"),
        ("recipe", "preset"): ("bad-preset 2.5", "preset"),
    }
    assert set(broken) == set(expected)
    for key, (package, error) in expected.items():
        assert broken[key]["package"] == package
        assert error in broken[key]["state"]
    assert states["noise", "ones"]["state"] == "ok"
    assert [Path(place).name for place in found["unreadable"]] == ["nameless-2.5.dist-info"]


@pytest.mark.slow
def test_broken_packages_spoil_nothing_else(broken_site: Path, small_build: list[str], gantk, call) -> None:
    listed = gantk("list", "noise", site=broken_site)
    assert listed.code == 0
    assert {line.split()[1] for line in listed.out.splitlines()} >= {"NAME", "de", "lost", "ones", "gaussian"}
    assert len(listed.err.splitlines()) == 1
    assert listed.err.startswith("gantk: warning: ")
    assert "nameless-2.5.dist-info" in listed.err
    lost = call("show", "noise", "lost", site=broken_site).err.splitlines()[-1]
    assert "no-module 2.5" in lost
    assert "no_such_module_at_all" in lost
    assert call(*small_build, "--dry-run", "--noise", "ones", site=broken_site).code == 0
    refused = call(*small_build, "--dry-run", "--noise", "annotated", site=broken_site)
    assert refused.code == 1
    assert "gantk: error: " in refused.err
    assert "Nowhere" in refused.err
    doctor = call("doctor", site=broken_site)
    assert doctor.code == 1
    line = next(line for line in doctor.out.splitlines() if line.split()[:2] == ["loss", "boom"])
    assert "exploding 2.5" in line
    assert "two lines" in line


def test_damaged_metadata_hides_no_other_package(install: Callable[..., Path], gantk) -> None:
    install("no-equals", "[gantk.noise]\nthis line says nothing\n")
    site = install("good-package", "[gantk.noise]\nones = good_ones:Ones\n", good_ones=ONES)
    listed = gantk("list", "noise", "--json", site=site)
    assert {"ones", "de"} <= {plugin["name"] for plugin in json.loads(listed.out)}
    assert "no_equals-2.5.dist-info" in listed.err


def test_json_is_json_whatever_a_plugin_prints(install: Callable[..., Path], call) -> None:
    site = install("good-package", "[gantk.noise]\nones = good_ones:Ones\n", good_ones=ONES)
    shown = json.loads(call("show", "noise", "ones", "--json", site=site).worked().out)
    assert shown["package"] == "good-package"


@pytest.mark.slow
def test_a_name_that_two_packages_claim_is_said_with_its_package(
    install: Callable[..., Path], small_build: list[str], tmp_path: Path, gantk, call
) -> None:
    site = install("third-party", "[gantk.noise]\ngaussian = good_ones:Ones\n", good_ones=ONES)
    rows = [line for line in gantk("list", "noise", site=site).worked().out.splitlines() if " gaussian " in line]
    assert len(rows) == 2
    assert "gantk:gaussian" in rows[0]
    assert "third-party:gaussian" in rows[1]
    error = call(*small_build, "-o", "run", site=site).error(2)
    assert "gantk:gaussian or third-party:gaussian" in error
    assert not (tmp_path / "run").exists()
    built = call(*small_build, "--noise", "third-party:gaussian", "-o", "run", site=site).worked().out
    row = next(line for line in built.splitlines() if line.startswith("noise "))
    assert "third-party 2.5" in row
    assert "[N, 3]" in row
    written = toml.loads((tmp_path / "run" / "model.toml").read_text())
    assert written["noise"]["plugin"] == "third-party:gaussian"
    assert written["versions"]["third-party"] == "2.5"
