"""Moving pictures: frames as a GIF, an MP4 where ffmpeg is installed, or a folder."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from PIL import Image
from torch import Tensor

from gantk.errors import UsageError, WorkError
from gantk.report.pictures import aside_of, opaque, save_picture, single

__all__ = ["check_animation", "save_animation"]

PER_SECOND = 10
"""Frames."""


def check_animation(path: Path) -> None:
    """Refuse what this machine cannot make, before any work is done; raises `UsageError` with the mend."""
    if path.suffix.lower() == ".mp4" and shutil.which("ffmpeg") is None:
        raise UsageError(
            f"-o {path}: MP4 needs the program ffmpeg, which is not installed: write NAME.gif or a folder of frames, "
            "or install ffmpeg."
        )


def save_animation(frames: Sequence[Tensor], path: Path) -> None:
    """Write uint8 frames `[C, H, W]` of one size; GIF and MP4 run there and back, a folder holds each once, in order.

    GIF and MP4 have no transparency: what is clear is white.

    Raises:
        WorkError: the place cannot be written to, or ffmpeg fails.
    """
    suffix = path.suffix.lower()
    if suffix not in (".gif", ".mp4"):
        for index, frame in enumerate(frames):
            save_picture(frame, path / single(index))
        return
    there = [opaque(frame) for frame in frames]
    both = [*there, *there[-2:0:-1]]
    aside = aside_of(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            if suffix == ".gif":
                time = 1000 // PER_SECOND
                with aside.open("wb") as file:
                    both[0].save(file, format="GIF", save_all=True, append_images=both[1:], duration=time, loop=0)
            else:
                _encode(both, aside)
            aside.replace(path)
        finally:
            aside.unlink(missing_ok=True)
    except OSError as error:
        raise WorkError(f"{path} cannot be written: {error.strerror or error}.") from error


def _encode(frames: Sequence[Image.Image], path: Path) -> None:
    colored = [frame.convert("RGB") for frame in frames]
    width, height = colored[0].size
    read = ["-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{width}x{height}", "-r", str(PER_SECOND), "-i", "-"]
    # Its colors are halved in size, so that both sides must be even.
    written = ["-vf", "pad=ceil(iw/2)*2:ceil(ih/2)*2:color=white", "-pix_fmt", "yuv420p", "-f", "mp4", str(path)]
    done = subprocess.run(
        ["ffmpeg", "-y", "-loglevel", "error", *read, *written],
        input=b"".join(frame.tobytes() for frame in colored),
        capture_output=True,
        check=False,
    )
    if done.returncode != 0:
        said = done.stderr.decode(errors="replace").strip().splitlines()
        raise WorkError(
            f"ffmpeg failed: {said[-1] if said else f'exit code {done.returncode}'}; write NAME.gif instead."
        )
