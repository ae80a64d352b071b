"""Work in processes of their own: one, or one for each device of a training."""

from __future__ import annotations

import math
import os
import signal
import socket
import time
import traceback
from collections.abc import Callable, Sequence

from gantk.errors import GantkError
from gantk.memory import ran_out

__all__ = ["ENDED", "ONE_LINE", "WAITED", "as_devices", "forked"]

ENDED, ONE_LINE, WAITED = 0, 3, 5
"""Statuses: everything is done; an error of one line; it waited for another device until it was ended from outside.

Minus a signal is another, and whatever else is a failure.
"""
PATIENCE = 5.0
"""Seconds after the failure of one device in which the others should end, as launchers give them."""


def forked(*works: Callable[[], object], kill: Sequence[int] = (), after: float = 0.0) -> list[int]:
    """Do works at once, each in a process of its own; some of them, by their index, are killed after some seconds."""
    children = [_begun(work) for work in works]
    if kill:
        time.sleep(after)
        for index in kill:
            os.kill(children[index], signal.SIGKILL)
    found: dict[int, int] = {}
    until = math.inf
    while len(found) < len(children):
        for child in [each for each in children if each not in found]:
            # One alone is simply waited for.
            ended, status = os.waitpid(child, os.WNOHANG if len(children) > 1 else 0)
            if ended:
                found[child] = os.waitstatus_to_exitcode(status)
                until = min(until, time.monotonic() + PATIENCE) if found[child] else until
            elif time.monotonic() > until:
                os.kill(child, signal.SIGKILL)
                os.waitpid(child, 0)
                found[child] = WAITED
        time.sleep(0.002)
    return [found[child] for child in children]


def _begun(work: Callable[[], object]) -> int:
    child = os.fork()
    if child:
        return child
    code = 1
    try:
        work()
        code = ENDED
    except BaseException as error:  # noqa: BLE001 - whatever else it is, it is a failure of a drill
        if ran_out(error):  # commands say so in one line
            code = ONE_LINE
        elif isinstance(error, (GantkError, OSError)):
            code = ONE_LINE if "\n" not in str(error) else 4
        else:
            traceback.print_exc()
    finally:
        os._exit(code)


def as_devices(works: Sequence[Callable[[], object]]) -> list[Callable[[], object]]:
    """Works that say to torch that they are the devices of one training, if there are several."""
    if len(works) == 1:
        return list(works)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    common = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "WORLD_SIZE": str(len(works)), "NODE_RANK": "0"}

    def device(rank: int, work: Callable[[], object]) -> Callable[[], object]:
        def begun() -> None:
            os.environ.update(common, LOCAL_RANK=str(rank))
            work()

        return begun

    return [device(rank, work) for rank, work in enumerate(works)]
