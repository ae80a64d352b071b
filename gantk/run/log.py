"""Writing the log of a run: `log.jsonl`, one line per interval, and the same figures for TensorBoard."""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from torch import Tensor
from torch.utils.tensorboard import SummaryWriter

from gantk.errors import GantkWarning, briefly
from gantk.run.entries import read_log
from gantk.run.folder import Run

__all__ = ["Log"]


class Log:
    """Appends to a run's log; lines that a killed run wrote after its last checkpoint are removed first.

    Args:
        run: the run.
        total: the step that training resumes from.

    Raises:
        RunError: the log cannot be read, or a folder of the run is a link.
    """

    def __init__(self, run: Run, total: int) -> None:
        kept = [entry for entry in read_log(run.log_file) if entry["step"] <= total]
        run.write(run.log_file, "".join(json.dumps(entry) + "\n" for entry in kept).encode())
        self._file = run.log_file.open("a", encoding="utf-8")
        self._board: SummaryWriter | None = None
        with self._boarding():
            self._board = SummaryWriter(str(run.tensorboard), purge_step=total + 1)

    def write(self, entry: Mapping[str, Any]) -> None:
        """Add one line; its `values` become scalars under the stage's name."""
        self._file.write(json.dumps(entry) + "\n")
        self._file.flush()
        own = {name: entry[name] for name in ("stage_images", "stage_seconds") if name in entry}
        with self._boarding() as board:
            for name, value in {**entry["values"], **own}.items():
                if board:
                    board.add_scalar(f"{entry['stage']}/{name}", value, entry["step"])

    def picture(self, name: str, grid: Tensor, step: int) -> None:
        """Add a picture, uint8 `[C, H, W]`, to TensorBoard."""
        with self._boarding() as board:
            if board and grid.shape[0] in (1, 3):
                board.add_image(name, grid, step)

    def close(self) -> None:
        self._file.close()
        with self._boarding() as board:
            if board:
                board.close()

    @contextmanager
    def _boarding(self) -> Iterator[SummaryWriter | None]:
        """Where TensorBoard cannot be written, say so once and go on without it."""
        try:
            yield self._board
        except Exception as error:  # noqa: BLE001 - its writer raises whatever its thread has met
            self._board = None
            text = f"TensorBoard's files cannot be written ({briefly(error)}): training continues without them"
            warnings.warn(text, GantkWarning, stacklevel=4)
