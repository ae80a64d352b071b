"""Python files in commands: `FILE.py:NAME` as a part, and `--code FILE.py`."""

from __future__ import annotations

import importlib.util
import os
import shlex
import sys
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

from gantk.errors import BrokenPlugin, UnknownName, UsageError, briefly, nearest
from gantk.files import place

__all__ = ["code_flags", "code_in", "load_code"]

_named: dict[Path, str] = {}


def load_code(path: str | os.PathLike[str]) -> ModuleType:
    """Import a Python file, once unless it changes.

    Raises:
        UsageError: there is no such file.
        BrokenPlugin: importing it failed.
    """
    file = place(path).absolute()
    if not file.is_file():
        raise UsageError(f"{file}: no such file.")
    module = _imported(file, file.stat().st_mtime_ns)
    _named.setdefault(file, str(path))
    return module


def code_in(path: str | os.PathLike[str], name: str) -> Any:
    """The object of a name in a Python file.

    Raises:
        UsageError: there is no such file.
        UnknownName: it has no such name.
        BrokenPlugin: importing it failed.
    """
    module = load_code(path)
    if not hasattr(module, name):
        own = [key for key, value in vars(module).items() if getattr(value, "__module__", "") == module.__name__]
        raise UnknownName(f"{path} has no '{name}'.{nearest(name, own)}")
    return getattr(module, name)


def code_flags() -> str:
    """The options that import the same files again, such as ` --code mine.py`."""
    return "".join(f" --code {shlex.quote(typed)}" for typed in _named.values())


@cache
def _imported(file: Path, changed: int) -> ModuleType:
    name = file.stem if file.stem.isidentifier() and file.stem not in sys.modules else f"gantk_code_{file.stem}"
    spec = importlib.util.spec_from_file_location(name, file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    if str(file.parent) not in sys.path:
        sys.path.append(str(file.parent))  # it may import files next to it
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        del sys.modules[name]
        raise BrokenPlugin(f"{file} cannot be imported: {type(error).__name__}: {briefly(error)}") from error
    return module
