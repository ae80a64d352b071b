"""Digests are computed in one thread, which is there before memory may be short, and again after a fork."""

from __future__ import annotations

import hashlib
import os
import threading
from pathlib import Path

import pytest

from gantk.memory import ran_out
from gantk.run.hashing import hashing
from gantk.run.manifest import Writing, read_manifest


def test_saves_and_reads_start_no_threads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hashing()

    def refuse(self: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    writing = Writing(tmp_path)
    writing.write("a", [b"one", b"two"])
    writing.seal(3)
    assert read_manifest(tmp_path).read("a", bytes) == b"onetwo"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the system does not fork")
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_a_forked_process_has_a_thread_of_its_own() -> None:
    hashing()
    child = os.fork()
    if child == 0:
        right = hashing().submit(hashlib.sha256, b"x").result(5).digest() == hashlib.sha256(b"x").digest()
        os._exit(0 if right else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


@pytest.mark.parametrize(
    ("said", "short"),
    [
        ("could not create a primitive", True),
        ("could not create a primitive descriptor for a convolution forward propagation primitive", False),
    ],
)
def test_what_onednn_says_without_memory_is_known(said: str, short: bool) -> None:
    assert ran_out(RuntimeError(said)) == short
