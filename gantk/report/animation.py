"""Animations: frames as a GIF, an MP4 (requires ffmpeg), or a folder."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

from PIL import Image
from torch import Tensor

from gantk.errors import UsageError, WorkError
from gantk.grids import encoded, opaque
from gantk.report.outputs import claimed, single, write_aside, write_folder

__all__ = ["check_animation", "save_animation"]

PER_SECOND = 10
"""Frames per second."""


def check_animation(path: Path) -> None:
    """Raise `UsageError` if this machine cannot write the animation, before any work is done."""
    if path.suffix.lower() == ".mp4" and shutil.which("ffmpeg") is None:
        raise UsageError(
            f"-o {path}: MP4 needs ffmpeg, which is not installed: use NAME.gif or a folder of frames, or install "
            "ffmpeg."
        )


def save_animation(frames: Sequence[Tensor], path: Path) -> None:
    """Write uint8 frames `[C, H, W]` of one size; GIF and MP4 play forward and backward, a folder has each frame once.

    Transparent images are composited on white in GIF and MP4.

    Raises:
        WorkError: the place cannot be written to, or ffmpeg fails.
    """
    suffix = path.suffix.lower()
    if suffix not in (".gif", ".mp4"):
        write_folder(path, ((single(index), encoded(frame)) for index, frame in enumerate(frames)))
        return
    there = [opaque(frame) for frame in frames]
    both = [*there, *there[-2:0:-1]]
    if suffix == ".gif":
        write_aside(path, lambda file: _draw(both, file))
        return
    try:
        with claimed(path) as aside:
            _encode(both, aside)
            aside.replace(path)
    except OSError as error:
        raise WorkError(f"{path} cannot be written: {error.strerror or error}.") from error


def _draw(frames: Sequence[Image.Image], file: BinaryIO) -> None:
    time = 1000 // PER_SECOND
    frames[0].save(file, format="GIF", save_all=True, append_images=frames[1:], duration=time, loop=0)


def _encode(frames: Sequence[Image.Image], path: Path) -> None:
    colored = [frame.convert("RGB") for frame in frames]
    width, height = colored[0].size
    read = ["-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{width}x{height}", "-r", str(PER_SECOND), "-i", "-"]
    # yuv420p halves the color planes, so both sides must be even.
    written = ["-vf", "pad=ceil(iw/2)*2:ceil(ih/2)*2:color=white", "-pix_fmt", "yuv420p", "-f", "mp4", str(path)]
    done = subprocess.run(
        ["ffmpeg", "-y", "-loglevel", "error", *read, *written],
        input=b"".join(frame.tobytes() for frame in colored),
        capture_output=True,
        check=False,
    )
    if done.returncode != 0:
        said = done.stderr.decode(errors="replace").strip().splitlines()
        raise WorkError(f"ffmpeg failed: {said[-1] if said else f'exit code {done.returncode}'}; use NAME.gif instead.")
