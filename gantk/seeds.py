"""Seeds: every random number of a run follows from its seed and the place where it is drawn.

No state of a random number generator has to be saved: each training step seeds all of them from (seed, stage, step), so
a resumed run draws what an undisturbed one draws, and drawing elsewhere (a sample grid, a log) changes nothing.
"""

from __future__ import annotations

import hashlib
import operator
import random
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import numpy as np
import torch

from gantk.errors import UsageError

__all__ = ["check_seed", "derive_seed", "forked", "rng_for", "seed_everything"]


def check_seed(seed: Any) -> int:
    """A seed in its range; `UsageError` for anything else."""
    if isinstance(seed, bool) or not hasattr(seed, "__index__") or not 0 <= operator.index(seed) < 2**63:
        raise UsageError(f"a seed is an integer from 0 to 2^63-1, not {seed!r}.")
    return operator.index(seed)


def derive_seed(*path: object) -> int:
    """A 63-bit seed for a place, as `derive_seed(seed, "order", epoch)`; different places get unrelated seeds."""
    digest = hashlib.blake2b(repr(path).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little") >> 1


def seed_everything(seed: int) -> None:
    """Seed torch's (all devices), NumPy's and Python's global random number generators."""
    if _only_cpu():
        torch.default_generator.manual_seed(seed)  # 100 times faster: no traceback is kept for devices to come
    else:
        torch.manual_seed(seed)
    np.random.seed(seed % 2**32)
    random.seed(seed)


@cache
def _only_cpu() -> bool:
    return not torch.accelerator.is_available()


def rng_for(*path: object) -> torch.Generator:
    """A random number generator for a place, on the CPU and independent of the global ones."""
    return torch.Generator().manual_seed(derive_seed(*path))


@contextmanager
def forked(seed: int) -> Iterator[None]:
    """Draw from a seed and leave every global random number generator as it was."""
    python, numpy = random.getstate(), np.random.get_state()
    with torch.random.fork_rng():
        seed_everything(seed)
        try:
            yield
        finally:
            random.setstate(python)
            np.random.set_state(numpy)
