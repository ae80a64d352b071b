"""What a plugin is, and how a preset did, read from its source or its preset: listing plugins must not import them."""

from __future__ import annotations

import ast
import sys
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path

from gantk import toml
from gantk.registry import PYTHON, Plugin

__all__ = ["score_of", "summary_of"]

LONGEST = 100
"""Characters of a summary."""


def summary_of(plugin: Plugin) -> str:
    """The title of a preset, else the first line of the docstring; empty if it cannot be read without importing it."""
    return _shortened(_read(plugin, "title"))


def score_of(plugin: Plugin) -> str:
    """What a preset has been trained on, with which score and at what cost; empty if it does not say so."""
    return _read(plugin, "scored")


def _read(plugin: Plugin, key: str) -> str:
    module, _, name = plugin.target.partition("[")[0].strip().partition(":")
    if plugin.package == PYTHON:
        return ""
    try:
        spec = _found(module)
        if spec is None or spec.origin is None:
            return ""
        if name:
            text = Path(spec.origin).read_text(encoding="utf-8") if key == "title" else ""
            return _said(ast.parse(text), name)
        preset = (Path(spec.origin).parent / f"{plugin.name}.toml").read_text(encoding="utf-8")
        return str(toml.loads(preset).get(key, ""))
    except (OSError, ValueError, SyntaxError, ImportError, RecursionError):
        return ""  # `gantk doctor` and `gantk show` say what is wrong with it


def _found(module: str) -> ModuleSpec | None:
    """Where a module is, without importing its packages."""
    top, *inner = module.split(".")
    finders = (finder.find_spec(top, None) for finder in sys.meta_path if hasattr(finder, "find_spec"))
    spec = next((found for found in finders if found is not None), None)
    for name in inner:
        if spec is None or spec.submodule_search_locations is None:
            return None
        spec = PathFinder.find_spec(f"{spec.name}.{name}", spec.submodule_search_locations)
    return spec


def _said(module: ast.Module, name: str) -> str:
    """The title of a class, if it has one as text, else its docstring's first line."""
    for node in module.body:
        if not isinstance(node, (ast.ClassDef, ast.FunctionDef)) or node.name != name:
            continue
        for line in node.body:
            names = [each.id for each in getattr(line, "targets", []) if isinstance(each, ast.Name)]
            if isinstance(line, ast.Assign) and names == ["title"] and isinstance(line.value, ast.Constant):
                return str(line.value.value)
        return (ast.get_docstring(node) or "").partition("\n")[0]
    return ""


def _shortened(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1].rstrip()}…"
