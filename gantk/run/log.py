"""Writing the log of a run: `log.jsonl`, one line per interval, and the same figures for TensorBoard and others."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from torch import Tensor

from gantk.errors import GantkWarning, briefly
from gantk.run.entries import read_log
from gantk.run.folder import Run
from gantk.run.loggers import LOGGERS, Logger

__all__ = ["Log"]


class Log:
    """Appends to a run's log; lines that a killed run wrote after its last checkpoint are removed first.

    Args:
        run: the run.
        total: the step that training resumes from.
        loggers: names of what else receives the figures.
        spec: the settings of the run, for those that show them.

    Raises:
        RunError: the log cannot be read, or a folder of the run is a link.
    """

    def __init__(
        self, run: Run, total: int, loggers: Iterable[str] = ("tensorboard",), spec: Mapping[str, Any] | None = None
    ) -> None:
        kept = [entry for entry in read_log(run.log_file) if entry["step"] <= total]
        run.write(run.log_file, "".join(json.dumps(entry) + "\n" for entry in kept).encode())
        self._file = run.log_file.open("a", encoding="utf-8")
        self._loggers: dict[str, Logger] = {}
        for name in loggers:
            with self._giving_up(name):
                self._loggers[name] = LOGGERS[name](run, total, spec or {})

    def write(self, entry: Mapping[str, Any]) -> None:
        """Add one line; its `values` become figures under the stage's name."""
        self._file.write(json.dumps(entry) + "\n")
        self._file.flush()
        own = {name: entry[name] for name in ("stage_images", "stage_seconds") if name in entry}
        values = {f"{entry['stage']}/{name}": value for name, value in {**entry["values"], **own}.items()}
        self._tell(lambda logger: logger.figures(values, entry["step"]))

    def picture(self, name: str, grid: Tensor, step: int) -> None:
        """Add a picture, uint8 `[C, H, W]`, to those that show pictures."""
        if grid.shape[0] in (1, 3):
            self._tell(lambda logger: logger.picture(name, grid, step))

    def close(self) -> None:
        self._file.close()
        self._tell(lambda logger: logger.close())

    def _tell(self, what: Callable[[Logger], None]) -> None:
        for name, logger in [*self._loggers.items()]:
            with self._giving_up(name):
                what(logger)

    @contextmanager
    def _giving_up(self, name: str) -> Iterator[None]:
        """Where a logger fails, say so once and go on without it."""
        try:
            yield
        except Exception as error:  # noqa: BLE001 - it raises whatever its thread or its server has met
            self._loggers.pop(name, None)
            warnings.warn(LOGGERS[name].failing.format(briefly(error)), GantkWarning, stacklevel=4)
