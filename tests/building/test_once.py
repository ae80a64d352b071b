"""What a build reads: the registry is gone through once, and each constructor's signature is read once."""

from __future__ import annotations

import inspect
from collections import Counter
from typing import Any

import pytest

import gantk
from gantk import options, registry


@pytest.mark.parametrize("recipe", ["dcgan", "degan", "aegan"])
def test_a_build_reads_everything_once(recipe: str, monkeypatch: pytest.MonkeyPatch) -> None:
    read: Counter[str] = Counter()

    def signature(factory: Any, **more: Any) -> inspect.Signature:
        if more.get("eval_str"):  # as options are read
            read[repr(factory)] += 1
        return reading(factory, **more)

    reading = inspect.signature
    for cached in (registry._entry_points, registry._by_kind, options._parameters, options._options):
        cached.cache_clear()
    monkeypatch.setattr("gantk.options.inspect.signature", signature)
    gantk.build(recipe, data="digits")
    assert registry._entry_points.cache_info().misses == 1
    assert registry._by_kind.cache_info().misses == 1
    assert len(read) > 5
    assert set(read.values()) == {1}, read.most_common(3)


def test_a_class_that_is_defined_anew_has_its_own_options() -> None:
    """As in a notebook, where a cell is run again."""

    def define(default: int) -> Any:
        class Part:
            def __init__(self, *, width: int = default) -> None:
                self.width = width

        return Part

    first, second = define(1), define(2)
    assert [options.read_options(each)["width"].default for each in (first, second)] == [1, 2]
    options.read_options(first).clear()
    assert list(options.read_options(first)) == ["width"]
