"""Contract suites for parts that are not registered, and what each of them must find."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch

from gantk.testing.base import PluginContract

SHAPE = (1, 4, 3)


def contract(base: type[PluginContract], part: type) -> Any:
    """A contract suite for a class that is not registered."""

    class Suite(base):  # type: ignore[valid-type, misc]
        plugin = "unregistered"
        shapes = (SHAPE,)
        noise_dim = 5
        _factory = part

        def _make(self, seed: int = 0, options: dict[str, Any] | None = None, **context: Any) -> Any:
            torch.manual_seed(seed)
            return part(**(options or {}))

    return Suite()


def run(suite: Any, name: str) -> None:
    """One test of a suite, for the first of its shapes if it takes one."""
    test: Callable[..., None] = getattr(suite, name)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        shaped = "shape" in test.__code__.co_varnames[: test.__code__.co_argcount]
        test(*([SHAPE] if shaped else []))


def check_caught(base: type[PluginContract], part: type, test: str, message: str) -> None:
    """A part that breaks a promise fails that promise's test, which says what is wrong."""
    with pytest.raises((AssertionError, pytest.fail.Exception), match=message):
        run(contract(base, part), test)


def check_honest(base: type[PluginContract], part: type) -> None:
    """A part that keeps every promise passes all tests that concern it."""
    suite = contract(base, part)
    for name in [name for name in dir(suite) if name.startswith("test_")]:
        try:
            run(suite, name)
        except pytest.skip.Exception:
            continue
