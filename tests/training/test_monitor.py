"""What is looked at while a model is trained: figures that are told and logged, and pictures of samples."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, cast

import pytest
import torch
from torch import Tensor

import gantk
from gantk import Stage
from gantk.run.folder import Run
from gantk.training.monitor import Monitor
from gantk.training.progress import Silent

Build = Callable[..., gantk.Model]


class Kept(Silent):
    """Keeps what is said and logged; it measures what it is given, and warns once."""

    def __init__(self, **figures: float) -> None:
        self.figures = figures
        self.lines: list[str] = []
        self.entries: list[Mapping[str, Any]] = []
        self.pictures: list[tuple[str, tuple[int, ...], int]] = []

    def say(self, text: str) -> None:
        self.lines.append(text)

    def write(self, entry: Mapping[str, Any]) -> None:
        self.entries.append(entry)

    def picture(self, name: str, grid: Tensor, step: int) -> None:
        self.pictures.append((name, tuple(grid.shape), step))

    def values(self, total: int) -> dict[str, float]:
        return {f"measure/{name}": value for name, value in self.figures.items()}

    def add(self, total: int, values: Mapping[str, float], stage: str) -> list[str]:
        return [f"{stage} looks odd"] if values else []


def monitor(kept: Kept, model: gantk.Model | None = None, run: Path | None = None) -> Monitor:
    own = cast(Any, kept)
    return Monitor(cast(gantk.Model, model), Run(run or "nowhere"), own, own, kept, own)


def test_figures_are_told_and_logged_with_what_is_odd_about_them() -> None:
    kept = Kept(fid=12.34567, coverage=0.5)
    entry = {"step": 8, "stage": "game"}
    assert monitor(kept).measure(entry) == {"measure/fid": 12.34567, "measure/coverage": 0.5}
    assert kept.lines == ["step 8: fid 12.35, coverage 0.5", "step 8: warning: game looks odd"]
    assert kept.entries == [{**entry, "values": {"measure/fid": 12.34567, "measure/coverage": 0.5}}]


def test_where_nothing_is_measured_nothing_is_said() -> None:
    kept = Kept()
    assert monitor(kept).measure({"step": 8, "stage": "game"}) == {}
    assert (kept.lines, kept.entries) == ([], [])


@pytest.mark.parametrize(("channels", "drawn"), [(1, 1), (3, 1), (4, 1), (5, 0)])
def test_a_stages_own_preview_is_drawn_if_it_can_be_seen(
    channels: int, drawn: int, tiny: Build, tmp_path: Path
) -> None:
    def preview(model: gantk.Model, count: int, rng: torch.Generator) -> Tensor:
        asked.append((model, count, rng.initial_seed(), torch.initial_seed()))
        return torch.zeros(count, channels, 4, 4, requires_grad=True)

    asked: list[Any] = []
    model, kept = tiny(), Kept()
    (tmp_path / "model.toml").write_text("")
    for total in (8, 9):
        monitor(kept, model, tmp_path).draw(Stage("game", [], preview=preview), total, 3)
    assert asked[0] == asked[1], "the same noise each time"
    assert asked[0][:2] == (model, 3)
    assert len(Run(tmp_path).samples) == len(kept.pictures) == 2 * drawn
    assert [(name, step) for name, _, step in kept.pictures] == [("samples", 8), ("samples", 9)][: 2 * drawn]


def test_samples_are_drawn_where_a_stage_has_no_preview(tiny: Build, tmp_path: Path) -> None:
    kept = Kept()
    (tmp_path / "model.toml").write_text("")
    monitor(kept, tiny(), tmp_path).draw(Stage("game", []), 8, 4)
    assert kept.pictures == [("samples", (1, 34, 34), 8)]
    assert [path.name for path in Run(tmp_path).samples] == ["step-0000008.png"]
