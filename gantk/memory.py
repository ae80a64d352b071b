"""How much memory the weights of a model may take on this machine."""

from __future__ import annotations

import errno
import os
import re
from pathlib import Path

from gantk.errors import OptionError, briefly

__all__ = [
    "VARIABLE",
    "as_bytes",
    "as_text",
    "machine",
    "most_for_data",
    "most_for_files",
    "most_for_weights",
    "ran_out",
    "shortage",
]

VARIABLE = "GANTK_MEMORY"
"""Environment variable with the limit for weights, such as `16GB`, which `--memory` sets as well."""
SHARE = 8
"""The limit otherwise is this part of the machine's memory: training takes four times as much as the weights, with
gradients and Adam's two moments, and the images and activations take some as well."""
UNKNOWN = 1 << 33
"""The memory of a machine that does not say."""
NO_MEMORY = (
    "can't allocate memory",
    "not enough memory",
    "out of memory",
    "bad_alloc",
    "can't start new thread",
    "Cannot allocate memory",
    "failed to map segment",
)
"""Parts of what torch, Python and the loader of libraries say where there is not enough memory."""
CONTAINERS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")
"""Files in which Linux has the limit of a container."""
NO_PRIMITIVE = "could not create a primitive"
"""How oneDNN's message ends then; where it cannot do what is asked, it goes on: "… descriptor for …"."""

_SIZE = re.compile(r"\s*(\d{1,15}(?:\.\d{1,15})?)\s*(B|[KMGT](?:i?B)?)?\s*", re.IGNORECASE)
_POWERS = {"": 0, "b": 0, "k": 1, "m": 2, "g": 3, "t": 4}


def most_for_weights() -> int:
    """Bytes that the weights of a model may take: `GANTK_MEMORY`, or else an eighth of this machine's memory.

    Raises:
        OptionError: the variable has no size.
    """
    return as_bytes(os.environ.get(VARIABLE, "")) or machine() // SHARE


def most_for_files() -> int:
    """Bytes of a file that may be read when it is not known for which model it is: twice the weights, in double
    precision."""
    return 2 * most_for_weights()


def most_for_data() -> int:
    """Bytes of arrays that may be read into memory: half of this machine's, or as many as a file may have."""
    return max(machine() // 2, most_for_files())


def machine() -> int:
    """The memory of this machine in bytes, or of the container or process if that has a lower limit."""
    found = []
    if hasattr(os, "sysconf"):
        found.append(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    for file in CONTAINERS:
        try:
            found.append(int(Path(file).read_text(encoding="ascii")))
        except (OSError, ValueError):  # no container, or "max"
            continue
    return min((each for each in found if each > 0), default=UNKNOWN)


def ran_out(error: BaseException) -> bool:
    """Whether an error says that there was not enough memory, of the machine or of a GPU."""
    if isinstance(error, OSError):
        return error.errno == errno.ENOMEM
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":  # torch's, without importing torch
        return True
    said = str(error)
    no_memory = any(text in said for text in NO_MEMORY) or said.endswith(NO_PRIMITIVE)
    return isinstance(error, (RuntimeError, ImportError)) and no_memory


def shortage(error: BaseException) -> str:
    """What an error says for which `ran_out` is true."""
    return f"there is not enough memory ({briefly(error) or type(error).__name__})"


def as_bytes(size: str) -> int:
    """`16GB` as bytes; 0 if it is empty.

    Raises:
        OptionError: it is not a size.
    """
    if not size:
        return 0
    match = _SIZE.fullmatch(size)
    if match is None or not float(match[1]):
        raise OptionError(f"the memory that weights may take is a size, such as 16GB, not '{size}'.")
    unit = (match[2] or "").lower()
    return int(float(match[1]) * (1024 if "i" in unit else 1000) ** _POWERS[unit[:1]])


def as_text(count: float) -> str:
    """`2.9 GB`."""
    for unit in ("bytes", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "bytes" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:,.1f} TB"
