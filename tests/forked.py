"""Processes that are forked from one which has imported gantk and torch already: importing them anew takes seconds.

Each is a process of its own all the same: its arguments, environment, folder, streams, signals and exit status. Tests
of starting start Python itself.
"""

from __future__ import annotations

import multiprocessing
import os
import runpy
import socket
import subprocess
import sys
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.reduction import DupFd
from pathlib import Path
from typing import IO, Any

__all__ = ["Forked", "free_port", "gantk_forked", "torchrun"]

_FORKS = multiprocessing.get_context("forkserver")
_FORKS.set_forkserver_preload(["gantk.cli.main", "gantk.building.load", "gantk.training.trainer", "torch._dynamo"])


def gantk_forked(
    *arguments: str, cwd: Path, env: Mapping[str, str] | None = None, timeout: float = 120, script: Path | None = None
) -> subprocess.CompletedProcess[bytes]:
    """Run `gantk ARGUMENTS…`, or a script, and wait for it, as `subprocess.run` does."""
    process = Forked(*arguments, cwd=cwd, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, script=script)
    out, err = process.communicate(timeout)
    return subprocess.CompletedProcess(arguments, process.wait(), out, err)


def torchrun(*arguments: str, processes: int, nodes: int = 1, env: Mapping[str, str] | None = None) -> str:
    """Run `gantk ARGUMENTS…` on all of some devices, as torchrun does on each of some machines; this is all of them.

    Returns:
        what all of them say.
    """
    port, per_node = free_port(), processes // nodes
    started = []
    for rank in range(processes):
        given = {
            **(os.environ if env is None else env),
            "MASTER_ADDR": "127.0.0.1",
            "MASTER_PORT": str(port),
            "WORLD_SIZE": str(processes),
            "RANK": str(rank),
            "LOCAL_RANK": str(rank % per_node),
            "LOCAL_WORLD_SIZE": str(per_node),
            "GROUP_RANK": str(rank // per_node),
            "TORCHELASTIC_RUN_ID": "test",
        }
        command = [*arguments, "--devices", str(per_node), "--nodes", str(nodes)]
        started.append(Forked(*command, cwd=Path.cwd(), env=given, stderr=subprocess.PIPE))
    said = [process.communicate(timeout=300)[1].decode() for process in started]
    assert [process.returncode for process in started] == [0] * processes, "".join(said)
    return "".join(said)


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


class Forked:
    """`gantk ARGUMENTS…`, started, or Python with a script in place of `gantk`; the methods are those of
    `subprocess.Popen`."""

    def __init__(
        self,
        *arguments: str,
        cwd: Path,
        env: Mapping[str, str] | None = None,
        stdout: int | IO[bytes] | None = None,
        stderr: int | IO[bytes] | None = None,
        script: Path | None = None,
    ) -> None:
        ours, theirs = zip(*(_ends(each, usual) for each, usual in ((stdout, 1), (stderr, 2))), strict=True)
        self.stdout, self.stderr = ours
        given = dict(os.environ if env is None else env)
        self._process = _FORKS.Process(
            target=_command, args=(script, arguments, str(cwd), given, *map(_Descriptor, theirs))
        )
        self._process.start()
        for descriptor in theirs:
            os.close(descriptor)
        assert self._process.pid is not None
        self.args, self.pid = arguments, self._process.pid

    @property
    def returncode(self) -> int | None:
        return self._process.exitcode

    def poll(self) -> int | None:
        self._process.join(0)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        self._process.join(timeout)
        if self.returncode is None:
            assert timeout is not None
            raise subprocess.TimeoutExpired(self.args, timeout)
        return self.returncode

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        self._process.kill()

    def communicate(self, timeout: float | None = None) -> tuple[bytes, bytes]:
        """What is left of both streams, and wait for the end; the process is killed after `timeout` seconds."""
        with ThreadPoolExecutor(2) as readers:
            read = [readers.submit(each.read) if each else None for each in (self.stdout, self.stderr)]
            try:
                self.wait(timeout)
            except subprocess.TimeoutExpired:
                self.kill()
                raise
            out, err = (each.result() if each else b"" for each in read)
        for each in (self.stdout, self.stderr):
            if each:
                each.close()
        return out, err


class _Descriptor:
    """An open file that a process gets when it is started."""

    def __init__(self, number: int) -> None:
        self.number = number

    def __reduce__(self) -> tuple[Any, ...]:
        return _received, (DupFd(self.number),)


def _received(sent: Any) -> int:
    descriptor: int = sent.detach()
    return descriptor


def _ends(stream: int | IO[bytes] | None, usual: int) -> tuple[IO[bytes] | None, int]:
    """Our end of a stream, if it has one, and that of the process."""
    if stream == subprocess.PIPE:
        ours, theirs = os.pipe()
        return open(ours, "rb"), theirs
    if stream == subprocess.DEVNULL:
        return None, os.open(os.devnull, os.O_WRONLY)
    descriptor = usual if stream is None else stream if isinstance(stream, int) else stream.fileno()
    return None, os.dup(descriptor)


def _command(
    script: Path | None, arguments: tuple[str, ...], cwd: str, env: dict[str, str], out: int, err: int
) -> None:
    for descriptor, stream in ((out, 1), (err, 2)):
        os.dup2(descriptor, stream)
        os.close(descriptor)
    sys.stdout, sys.stderr = os.fdopen(1, "w", closefd=False), os.fdopen(2, "w", buffering=1, closefd=False)
    os.environ.clear()
    os.environ.update(env)
    os.chdir(cwd)
    tests = str(Path(__file__).parent)
    sys.path[:] = [*filter(None, env.get("PYTHONPATH", "").split(os.pathsep)), *(p for p in sys.path if p != tests)]
    sys.argv = [str(script or "gantk"), *arguments]
    if script is not None:
        sys.path.insert(0, str(script.parent))
        runpy.run_path(str(script), run_name="__main__")
        return
    import gantk.__main__ as entry

    sys.modules["__main__"] = entry  # of which further devices start another one
    entry.main()
