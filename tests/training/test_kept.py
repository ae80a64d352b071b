"""Memory that a step frees is there for the next one."""

from __future__ import annotations

import platform
from statistics import median

import pytest
import torch

from gantk.training.kept import keeping_memory

resource = pytest.importorskip("resource")
pytestmark = pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="the allocator is that of glibc")

PAGES = 256
"""Of 4096 bytes, in a megabyte."""


def faults(megabytes: int) -> int:
    """How many pages the system provides while two tensors of such a size are made and freed."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    one, other = (torch.ones(megabytes, 2**18) for _ in range(2))
    del one, other
    return int(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)


def usual(megabytes: int) -> float:
    """The median over several times: the process's other threads ask for pages too, and the heap grows at first."""
    return median(faults(megabytes) for _ in range(25))


@pytest.mark.parametrize("megabytes", [4, 48])
def test_no_page_is_asked_for_again(megabytes: int) -> None:
    with keeping_memory():
        assert usual(megabytes) < megabytes * PAGES / 10
    assert faults(48) > 48 * PAGES / 10, "and afterwards memory is given back"
