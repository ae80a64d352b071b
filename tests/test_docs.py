"""The documentation's code runs, its files are the example's, and its tables are what is installed.

Blocks of one page run in order, in one folder: ```python in one namespace, ```bash line by line (`gantk …` in this
process; `make …` and scripts only have to exist). Training is cut to two steps of four images a stage, and images of
64×64 to 32×32. A comment above a block says otherwise: `<!-- test: skip -->`, or `<!-- file: PATH -->` where the block
is that file of `examples/`, or one to write.
"""

from __future__ import annotations

import importlib
import re
import shlex
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import gantk.building.stage_settings
import gantk.registry
from gantk import toml
from gantk.cli.main import cli
from gantk.kinds import KINDS
from gantk.registry import plugins
from gantk.schedule import Stage

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
PART_OF = "part of: "
BLOCK = re.compile(r"(?:<!-- (?P<mark>[^>]*) -->\n)?```(?P<language>\w*)\n(?P<code>.*?)^```$", re.MULTILINE | re.DOTALL)
SHORT = ("2 steps", 4)
"""What every stage is cut to: its length, and its batch size."""


@dataclass(frozen=True)
class Block:
    """One fenced block of a page."""

    page: Path
    line: int
    language: str
    code: str
    mark: str

    @property
    def file(self) -> str:
        return self.mark.removeprefix("file: ") if self.mark.startswith("file: ") else ""


def _blocks(page: Path) -> list[Block]:
    text = page.read_text(encoding="utf-8")
    found = [
        Block(page, text.count("\n", 0, m.start("code")) + 1, m["language"], m["code"], (m["mark"] or "").strip())
        for m in BLOCK.finditer(text)
    ]
    assert text.count("\n```") == 2 * len(found), f"{page.name}: a block has no language or no end"
    return found


@pytest.fixture
def newcomer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder with pictures in it, for somebody in a hurry."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delenv("GANTK_DATA", raising=False)
    apply = gantk.building.stage_settings._apply

    def shorten(stage: Stage, *arguments: Any, **options: Any) -> None:
        apply(stage, *arguments, **options)
        stage.length, stage.batch_size = SHORT

    monkeypatch.setattr(gantk.building.stage_settings, "_apply", shorten)
    (tmp_path / "photos").mkdir()
    for number in range(12):
        pixels = np.random.default_rng(number).integers(0, 256, (40, 35, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / "photos" / f"{number}.png")
    modules = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - modules:
        if str(getattr(sys.modules[name], "__file__", "")).startswith(str(tmp_path)):
            del sys.modules[name]
    gantk.registry._entry_points.cache_clear()


def _execute(block: Block, namespace: dict[str, Any], folder: Path) -> None:
    if block.mark == "test: skip" or (block.language in ("text", "toml") and not block.file):
        return
    if block.file:
        _write(block, folder)
    elif block.language == "python":
        padded = "\n" * (block.line - 1) + block.code
        exec(compile(padded, str(block.page), "exec"), namespace)
    elif block.language == "bash":
        for line in block.code.replace("\\\n", " ").splitlines():
            _command(shlex.split(line, comments=True), block)
    else:
        raise AssertionError(f"{block.page.name}:{block.line}: what is a {block.language} block?")


def _write(block: Block, folder: Path) -> None:
    """A file of the reader's; a pyproject.toml is installed, as far as its entry points go."""
    path = folder / block.file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(block.code, encoding="utf-8")
    importlib.invalidate_caches()
    if path.name == "pyproject.toml":
        project = toml.loads(block.code)["project"]
        info = folder / f"{project['name'].replace('-', '_')}-{project['version']}.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(
            f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n"
        )
        groups = [
            "\n".join([f"[{group}]", *(f"{name} = {value}" for name, value in entries.items())])
            for group, entries in project["entry-points"].items()
        ]
        (info / "entry_points.txt").write_text("\n".join(groups) + "\n")
        gantk.registry._entry_points.cache_clear()


def _command(words: list[str], block: Block) -> None:
    where = f"{block.page.name}:{block.line}: {shlex.join(words)}"
    if not words or words[0] in ("cd", "pip", "pytest", "tensorboard"):
        return
    if words[0] == "python":
        assert (ROOT / words[1]).exists(), where
        return
    if words[0] == "make":
        targets = re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
        assert words[1] in targets, where
        return
    assert words[0] == "gantk", where
    try:
        cli.main([word.replace("size=64", "size=32") for word in words[1:]], standalone_mode=False)
    except Exception as error:
        raise AssertionError(f"{where}: {error}") from error


@pytest.mark.slow
@pytest.mark.parametrize("page", [page for page in PAGES if page.name != "plugins.md"], ids=lambda page: page.stem)
def test_code_runs(page: Path, newcomer: Path) -> None:
    namespace: dict[str, Any] = {"__name__": "__docs__"}
    for block in _blocks(page):
        _execute(block, namespace, newcomer)


def test_the_plugin_guide_is_the_example() -> None:
    example = ROOT / "examples" / "gantk-spherical"
    shown = {block.file for block in _blocks(ROOT / "docs" / "plugins.md") if block.file}
    for block in _blocks(ROOT / "docs" / "plugins.md"):
        if block.file:
            expected = (ROOT / block.file).read_text(encoding="utf-8")
            assert block.code == expected, f"plugins.md:{block.line} differs from {block.file}"
        elif block.mark.startswith(PART_OF):
            whole = (ROOT / block.mark.removeprefix(PART_OF)).read_text(encoding="utf-8")
            assert block.code in whole, f"plugins.md:{block.line} is no longer part of that file"
        else:
            assert block.language in ("bash", "text") or block.mark == "test: skip", (
                f"plugins.md:{block.line} is no file"
            )
    written = {"pyproject.toml", "gantk_spherical/noise.py", "gantk_spherical/losses.py", "tests/test_contracts.py"}
    assert shown == {str((example / name).relative_to(ROOT)) for name in written}


def test_the_table_of_what_exists_is_what_exists() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| \*\*(\w+)\*\* \|([^|]*)\|", text, re.MULTILINE)
    written = {kind: set(re.findall(r"`([^`]+)`", names)) for kind, names in rows}
    installed = {kind: {plugin.name for plugin in plugins(kind) if plugin.package == "gantk"} for kind in KINDS}
    assert written == {kind: names for kind, names in installed.items() if names}


def test_the_tables_of_degan_are_its_recipes() -> None:
    text = (ROOT / "docs" / "papers" / "degan.md").read_text(encoding="utf-8")
    rows = {m[1]: m[0] for m in re.findall(r"^(\| [IV]+, .*\| `(degan-\w+)` \|)$", text, re.MULTILINE)}
    assert set(rows) == {plugin.name for plugin in plugins("recipe") if plugin.name.startswith("degan-")}
    for name, row in rows.items():
        above = rows["degan-celeba"].split("|") if "as III" in row else row.split("|")
        recipe = (ROOT / "plugins" / "gantk_degan" / "presets" / f"{name}.toml").read_text(encoding="utf-8")
        autoencoder, generator, discriminator = (cell.strip(" `") for cell in above[2:5])
        assert f"autoencoder='gantk:vae:{autoencoder}'" in recipe
        assert f'generator = "degan:{generator}"' in recipe
        assert f'discriminator = "degan:{discriminator}"' in recipe


@pytest.mark.parametrize("page", [*PAGES, *sorted((ROOT / "bench").rglob("*.md"))], ids=lambda page: page.stem)
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
        if not target.startswith("http"):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"


def test_every_command_of_the_readme_is_run_by_ci() -> None:
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    fallback = (ROOT / ".ci" / "fallback").read_text(encoding="utf-8")
    assert "bash .ci/fallback" in script
    for block in _blocks(ROOT / "README.md"):
        for line in block.code.splitlines() if block.language == "bash" else ():
            words = shlex.split(line, comments=True)
            if words[:1] == ["make"]:
                assert f'"${{make[@]}}" {words[1]}' in script, line
            elif words[:1] == ["pip"]:
                assert f"{shlex.join(words[1:])}\n" in fallback, line


def test_the_reference_has_every_public_module() -> None:
    project = toml.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    contracts = {contract["name"]: contract for contract in project["tool"]["importlinter"]["contracts"]}
    closed = set(contracts["Plugins use the public modules only"]["forbidden_modules"])
    modules = {f"gantk.{path.stem}" for path in (ROOT / "gantk").iterdir() if path.suffix == ".py" or path.is_dir()}
    public = {"gantk"} | {module for module in modules - closed if not module.startswith("gantk._")}
    hooks = (ROOT / "docs" / "hooks.py").read_text(encoding="utf-8")
    shown = re.search(r"^MODULES = \((.*?)^\)", hooks, re.MULTILINE | re.DOTALL)
    assert shown
    assert set(re.findall(r'"([\w.]+)"', shown[1])) == public
