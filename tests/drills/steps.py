"""What readers of a drill share."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable, Mapping

from gantk.errors import GantkError

__all__ = ["each_of", "zipped"]


def each_of(*steps: Callable[[], object]) -> None:
    """Take steps although one before was refused; raises what the last one raises."""
    for step in steps[:-1]:
        try:
            step()
        except GantkError:
            continue
    steps[-1]()


def zipped(entries: Mapping[str, bytes], kind: int = zipfile.ZIP_DEFLATED) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", kind) as archive:
        for name, content in entries.items():
            archive.writestr(zipfile.ZipInfo(name), content, kind)
    return stream.getvalue()
