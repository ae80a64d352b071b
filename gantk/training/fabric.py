"""Lightning Fabric, imported without a package that it asks for its version only.

Where TorchMetrics is installed, each training would import it at its start, and with it Matplotlib and much of SciPy.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["Fabric", "MixedPrecision", "rank_zero"]


@contextmanager
def _as_if_missing(name: str) -> Iterator[None]:
    """Within this context, importing a package that has not been imported fails."""
    known = name in sys.modules
    if not known:
        sys.modules[name] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        if not known:
            del sys.modules[name]


with _as_if_missing("torchmetrics"):
    from lightning_fabric import Fabric
    from lightning_fabric.plugins.precision import MixedPrecision
    from lightning_fabric.utilities import rank_zero
