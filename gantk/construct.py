"""Construction of a part from its name and options, for plugins that have parts within.

The module can be called as its function: `gantk.construct("noise", "gaussian:dim=64")`.
"""

import sys
from types import ModuleType
from typing import Any

from gantk.building.construct import construct, part_class
from gantk.building.named import part_named
from gantk.building.nested import Around, nested, offers_of

__all__ = ["Around", "construct", "nested", "offers_of", "part_class", "part_named"]


class _Callable(ModuleType):
    def __call__(self, kind: str, spec: Any, **context: Any) -> Any:
        return construct(kind, spec, **context)


sys.modules[__name__].__class__ = _Callable
