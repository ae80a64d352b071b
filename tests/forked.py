"""Processes that are forked from one which has imported gantk and torch already: importing them anew takes seconds.

Each is a process of its own all the same: its arguments, environment, folder, streams, signals and exit status. Tests
of starting, of installed packages and of signals start Python itself.
"""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

__all__ = ["gantk_forked"]

_FORKS = multiprocessing.get_context("forkserver")
_FORKS.set_forkserver_preload(["gantk.cli.main", "gantk.building.load", "gantk.training.trainer", "torch._dynamo"])


def gantk_forked(
    *arguments: str, cwd: Path, env: Mapping[str, str] | None = None, timeout: float = 120
) -> subprocess.CompletedProcess[bytes]:
    """Run `gantk ARGUMENTS…` and wait for it.

    Raises:
        subprocess.TimeoutExpired: it is killed after `timeout` seconds.
    """
    with tempfile.TemporaryDirectory() as kept:
        out, err = Path(kept, "out"), Path(kept, "err")
        given = dict(os.environ if env is None else env)
        process = _FORKS.Process(target=_command, args=(arguments, str(cwd), given, str(out), str(err)))
        process.start()
        process.join(timeout)
        if process.is_alive():
            process.kill()
            process.join()
            raise subprocess.TimeoutExpired(arguments, timeout, out.read_bytes(), err.read_bytes())
        assert process.exitcode is not None
        return subprocess.CompletedProcess(arguments, process.exitcode, out.read_bytes(), err.read_bytes())


def _command(arguments: tuple[str, ...], cwd: str, env: dict[str, str], out: str, err: str) -> None:
    for descriptor, place in ((1, out), (2, err)):
        opened = os.open(place, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        os.dup2(opened, descriptor)
        os.close(opened)
    os.environ.clear()
    os.environ.update(env)
    os.chdir(cwd)
    tests = str(Path(__file__).parent)
    sys.path[:] = [*filter(None, env.get("PYTHONPATH", "").split(os.pathsep)), *(p for p in sys.path if p != tests)]
    sys.argv = ["gantk", *arguments]
    from gantk.__main__ import main

    main()
