"""The layer check holds for the code as it is, covers all of it, and notices what it is there for."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from gantk import toml

ROOT = Path(__file__).parents[1]
PUBLIC = {
    *("construct", "data", "errors", "measures", "model", "nn", "ops", "options", "parts", "permissions", "recipe"),
    "testing",
}


def _contracts() -> dict[str, Any]:
    configuration = toml.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"]
    return {"packages": configuration["root_packages"], **{c["name"]: c for c in configuration["contracts"]}}


def _lint(root: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", "from importlinter.cli import lint_imports_command; lint_imports_command()"]
    places = {"PYTHONPATH": f"{root}:{root / 'plugins'}", "PATH": "", "COLUMNS": "500"}
    options = ["--no-cache", "--config", str(root / "pyproject.toml")]
    return subprocess.run(
        [*command, *options], cwd=root, env=places, capture_output=True, text=True, timeout=120, check=False
    )


def test_the_layers_hold() -> None:
    found = _lint(ROOT)
    assert found.returncode == 0, found.stdout + found.stderr


def test_every_bundled_plugin_is_in_every_contract() -> None:
    contracts = _contracts()
    plugins = {folder.name for folder in (ROOT / "plugins").iterdir() if (folder / "__init__.py").exists()}
    assert set(contracts["packages"]) == {"gantk"} | plugins
    assert set(contracts["The core knows no plugin"]["forbidden_modules"]) == plugins
    assert set(contracts["No bundled plugin knows another"]["modules"]) == plugins
    assert set(contracts["Plugins use the public modules only"]["source_modules"]) == plugins


def test_every_module_is_public_or_closed_to_plugins() -> None:
    modules = {
        path.stem for path in (ROOT / "gantk").iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()
    }
    closed = {
        name.removeprefix("gantk.") for name in _contracts()["Plugins use the public modules only"]["forbidden_modules"]
    }
    assert modules - {"__init__"} == PUBLIC | {name for name in closed if not name.endswith(".*")}


@pytest.mark.parametrize(
    ("module", "line", "broken"),
    [
        ("gantk/model.py", "import gantk_classic.noise", "The core knows no plugin"),
        ("gantk/parts/part.py", "import gantk.training", "Arrows go down only"),
        ("gantk/novelty.py", "", "Arrows go down only"),
        ("plugins/gantk_degan/noise.py", "import gantk_classic.noise", "No bundled plugin knows another"),
        ("plugins/gantk_degan/noise.py", "import gantk.training", "Plugins use the public modules only"),
        (
            "plugins/gantk_degan/noise.py",
            "from gantk.nn.stacks import DownStack",
            "Plugins use the public modules only",
        ),
    ],
)
def test_a_forbidden_import_is_noticed(tmp_path: Path, module: str, line: str, broken: str) -> None:
    for folder in ("gantk", "plugins"):
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=shutil.ignore_patterns("__pycache__", "*-ubyte.gz"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    with (tmp_path / module).open("a", encoding="utf-8") as file:
        file.write(f"\n{line}\n")
    found = _lint(tmp_path)
    assert found.returncode != 0, found.stdout + found.stderr
    verdicts = [row for row in found.stdout.splitlines() if row.endswith("BROKEN")]
    assert any(row.startswith(broken) for row in verdicts), found.stdout + found.stderr
