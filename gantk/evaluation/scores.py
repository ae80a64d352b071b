"""Scores on disk: `metrics.json`, a list of scores with their protocols."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from gantk import json_text
from gantk.errors import RunError
from gantk.evaluation.protocol import Protocol, differences
from gantk.files import read_whole, remove_unfinished, replace_file, text_of
from gantk.locks import Lock
from gantk.plain import from_plain
from gantk.written import write_part

__all__ = ["FILE", "Score", "add_score", "newest_figures", "plain_score", "read_scores", "scores_file"]

FILE = "metrics.json"
"""The file's name in a run."""

MOST = 1 << 26
"""Bytes of the file, at most."""

WORDS = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}
"""Figures that JSON cannot represent as numbers."""


@dataclass(frozen=True)
class Score:
    """The figures of one metric for one set of generated images."""

    metric: str
    """The metric as `package:name`."""
    options: Mapping[str, Any]
    """All of its options, including defaults."""
    figures: Mapping[str, float]
    """Its figures by name."""
    protocol: Protocol
    """How they were computed."""
    seconds: float
    """Computation time, including features unless they were cached."""
    when: str
    """Time in UTC, such as `2026-11-29T12:00:00+00:00`."""

    @property
    def name(self) -> str:
        """The metric with its options, such as `prdc:k=5`."""
        return write_part(self.metric.rpartition(":")[2], self.options)

    def same(self, other: Score, *, versions: bool = True) -> bool:
        """Whether metric, options and protocol are equal, ignoring names.

        Args:
            versions: whether versions must be equal too.
        """
        if (self.metric, dict(self.options)) != (other.metric, dict(other.options)):
            return False
        found = differences(self.protocol, other.protocol)
        return not [path for path in found if versions or not path.startswith("versions")]


def scores_file(path: Path) -> Path:
    """The file of the scores: `metrics.json` in a run; `NAME.metrics.json` beside a folder or zip of images."""
    is_run = (path / "model.toml").exists()
    return path / FILE if is_run else path.absolute().with_name(f"{path.absolute().name}.{FILE}")


def read_scores(path: Path) -> list[Score]:
    """The scores in a file, in the order in which they were first measured; empty if there is no file.

    Raises:
        RunError: it cannot be read, or is damaged.
    """
    try:
        written = json_text.loads(text_of(read_whole(path, MOST)))
        if not isinstance(written, list):
            raise ValueError("expected a list")
        return [_read(number, each) for number, each in enumerate(written, 1)]
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        raise RunError(f"{path} cannot be read: {error.strerror or error}.") from error
    except ValueError as error:  # includes invalid UTF-8 and invalid JSON
        raise RunError(f"{path} is damaged ({error}): move it away, and run gantk evaluate again.") from error


def _read(number: int, written: Any) -> Score:
    """One entry of the list."""
    what = f"score {number}"
    if isinstance(written, Mapping) and isinstance(written.get("figures"), Mapping):
        figures = written["figures"]
        written = {**written, "figures": {name: _figure(value) for name, value in figures.items()}}
    return from_plain(Score, written, what)


def _figure(value: Any) -> Any:
    return WORDS.get(value, value) if isinstance(value, str) else value


def add_score(path: Path, score: Score) -> None:
    """Save a score in a file; a score with the same metric and protocol, of any version, is replaced.

    Raises:
        RunError: the file is damaged, or cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with Lock(path.with_name(f".{path.name}.lock")):
            remove_unfinished(path)
            scores = read_scores(path)
            place = next((n for n, each in enumerate(scores) if each.same(score, versions=False)), len(scores))
            scores[place : place + 1] = [score]
            content = json.dumps([plain_score(each) for each in scores], indent=1, allow_nan=False)
            replace_file(path, content.encode())
    except OSError as error:
        raise RunError(f"{path} cannot be written: {error.strerror or error}.") from error


def plain_score(score: Score) -> dict[str, Any]:
    """A score as JSON."""
    figures = {name: _number(value) for name, value in score.figures.items()}
    return {**asdict(score), "figures": figures}


def _number(value: float) -> float | str:
    if math.isfinite(value):
        return value
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"


def newest_figures(scores: Sequence[Score]) -> dict[str, float]:
    """The figures of the newest measured checkpoint, such as `frechet/distance`: means over its seeds."""
    if not scores:
        return {}
    last = max(scores, key=lambda score: (score.protocol.generated.step or 0, score.when)).protocol.generated
    found: dict[str, list[float]] = {}
    for score in scores:
        made = score.protocol.generated
        if (made.weights, made.content, made.images) == (last.weights, last.content, last.images):
            for name, value in score.figures.items():
                found.setdefault(f"{score.metric.rpartition(':')[2]}/{name}", []).append(value)
    return {name: math.fsum(values) / len(values) for name, values in found.items()}
