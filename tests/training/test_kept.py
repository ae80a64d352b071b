"""Memory that a step frees is there for the next one."""

from __future__ import annotations

import platform

import pytest
import torch

from gantk.training.kept import keeping_memory

resource = pytest.importorskip("resource")
pytestmark = pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="the allocator is that of glibc")


def faults(megabytes: int) -> int:
    """How many pages the system provides while tensors of such a size are made and freed."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(5):
        one, other = (torch.ones(megabytes, 2**18) for _ in range(2))
        del one, other
    return int(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)


@pytest.mark.parametrize("megabytes", [4, 48])
def test_no_page_is_asked_for_again(megabytes: int) -> None:
    with keeping_memory():
        faults(megabytes)
        assert faults(megabytes) < 100
    assert faults(48) > 1000, "and afterwards large blocks are given back"
