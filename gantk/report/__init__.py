"""What is printed and drawn. The package can be called as `gantk.pages.report`: `gantk.report("runs/x")`."""

import importlib
import sys
from types import ModuleType
from typing import Any


class _Callable(ModuleType):
    def __call__(self, *arguments: Any, **options: Any) -> Any:
        return importlib.import_module("gantk.pages").report(*arguments, **options)  # pages are made of what is here


sys.modules[__name__].__class__ = _Callable
