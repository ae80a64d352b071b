"""What a module or function computes, as text: its code, its settings, and what the code refers to by name."""

from __future__ import annotations

import hashlib
import inspect
import os
import types
from collections.abc import Mapping
from typing import Any

import numpy as np
from torch import Tensor, nn

from gantk.adapt.calls import FunctionNetwork, referred

__all__ = ["module_code"]

INTERNAL = frozenset(vars(nn.Module()))
"""Attributes of every module, which are its weights, its submodules and the like."""


def module_code(module: nn.Module) -> str:
    """The class or function of a module, with its settings; weights and submodules are not included."""
    if isinstance(module, FunctionNetwork):
        return _text(module.function, set())
    settings = {name: value for name, value in vars(module).items() if name not in INTERNAL}
    return f"{_class(type(module))} {_text(settings, set())}"


def _class(own: type[Any]) -> str:
    name = f"{own.__module__}.{own.__qualname__}"
    if own.__module__.partition(".")[0] == "torch":  # its version is in every protocol
        return name
    functions = [value for value in vars(own).values() if isinstance(value, types.FunctionType)]
    return f"{name} {[_text(function, set()) for function in functions]}"


def _text(value: Any, seen: set[int]) -> str:
    """A text that is another one for another value."""
    if value is None or isinstance(value, (bool, int, float, complex, str, bytes)):
        return repr(value)
    if isinstance(value, nn.Module | nn.Parameter):
        return ""
    if isinstance(value, Tensor):
        value = value.detach().cpu().numpy()
    if isinstance(value, np.ndarray) and value.dtype != object:
        return f"{value.dtype} {value.shape} {hashlib.blake2b(np.ascontiguousarray(value).tobytes()).hexdigest()}"
    if isinstance(value, (types.ModuleType, types.BuiltinFunctionType)) or inspect.isclass(value):
        return getattr(value, "__qualname__", value.__name__)
    if id(value) in seen:
        return "again"
    seen.add(id(value))
    if isinstance(value, Mapping):
        return str([(str(key), _text(each, seen)) for key, each in value.items()])
    if isinstance(value, (tuple, list)):
        return str([_text(each, seen) for each in value])
    if isinstance(value, types.FunctionType):
        return _function(value, seen)
    return os.urandom(16).hex()


def _function(function: types.FunctionType, seen: set[int]) -> str:
    code = function.__code__
    constants = [each for each in code.co_consts if not isinstance(each, types.CodeType)]
    try:
        text = inspect.getsource(function)
    except (OSError, TypeError):  # defined interactively
        text = f"{code.co_code!r} {code.co_names}"
    held = {name: value for name, value in referred(function).items() if not _of_a_library(value)}
    return str([text, repr(constants), _text(function.__defaults__, seen), _text(held, seen)])


def _of_a_library(value: Any) -> bool:
    return (getattr(value, "__module__", None) or "").partition(".")[0] in ("torch", "numpy", "builtins", "typing")
