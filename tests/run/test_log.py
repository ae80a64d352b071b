"""The log of a run: whole lines only, and columns of one length."""

from __future__ import annotations

import json
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from gantk.errors import GantkWarning
from gantk.run.entries import columns, log_lines, read_log
from gantk.run.folder import Run
from gantk.run.log import Log


@pytest.fixture
def run(tmp_path: Path) -> Run:
    (tmp_path / "run").mkdir()
    return Run(tmp_path / "run")


def entry(step: int, **values: float) -> dict[str, object]:
    return {"step": step, "stage": "game", "stage_step": step, "time": 1.5, "values": values}


def test_what_is_written_is_read(run: Run) -> None:
    assert read_log(run.log_file) == []
    log = Log(run, 0)
    log.write(entry(2, loss=0.5))
    assert read_log(run.log_file) == [entry(2, loss=0.5)], "a line is on the disk as soon as it is written"
    log.close()


def test_what_was_logged_after_the_checkpoint_is_taken_out(run: Run) -> None:
    log = Log(run, 0)
    for step in (2, 4, 6):
        log.write(entry(step, loss=step))
    log.close()
    log = Log(run, 4)
    log.write(entry(5, loss=0.0))
    log.close()
    assert [line["step"] for line in read_log(run.log_file)] == [2, 4, 5]


@pytest.mark.parametrize(
    "lost",
    [
        '{"step": 9, "sta',
        "[]",
        '{"step": "4"}',
        '{"step": 4}',
        "3",
        '{"stage": "game"}',
        "\xff\x00",
        "[" * 9999,
        "9" * 9999,
    ],
)
def test_a_line_that_cannot_be_read_costs_nothing_else(run: Run, lost: str) -> None:
    one, two, three = (json.dumps(entry(step)) for step in (1, 2, 3))
    run.log_file.write_bytes("\n".join([one, two, lost, three]).encode("latin-1"))
    assert [line["step"] for line in read_log(run.log_file)] == [1, 2, 3]
    assert log_lines(run.log_file)[1] == 1
    Log(run, 3).close()
    assert run.log_file.read_text() == f"{one}\n{two}\n{three}\n"


def test_columns_have_a_row_for_each_step_and_gaps_where_there_was_nothing() -> None:
    """Figures that were measured at a step that was logged stand in its row."""
    found = columns([entry(2, loss=1.0), entry(4, loss=2.0), entry(4, fid=9.0), entry(6, fid=8.0)])
    assert found["step"].tolist() == [2, 4, 6]
    assert found["stage"].tolist() == ["game"] * 3
    np.testing.assert_array_equal(found["loss"], [1.0, 2.0, np.nan])
    np.testing.assert_array_equal(found["fid"], [np.nan, 9.0, 8.0])
    assert "values" not in found
    assert columns([]) == {}


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_pictures_of_any_channels_are_taken(run: Run, channels: int) -> None:
    log = Log(run, 0)
    log.picture("samples", torch.zeros(channels, 4, 4, dtype=torch.uint8), 1)
    log.close()


def test_without_tensorboard_the_log_goes_on_and_that_is_said_once(run: Run, recwarn: pytest.WarningsRecorder) -> None:
    run.tensorboard.write_text("mine")
    log = Log(run, 0)
    for step in (1, 2):
        log.write(entry(step, loss=0.5))
        log.picture("samples", torch.zeros(1, 4, 4, dtype=torch.uint8), step)
    log.close()
    (warning,) = recwarn.list
    assert issubclass(warning.category, GantkWarning)
    assert str(warning.message).startswith("TensorBoard's files cannot be written (")
    assert [line["step"] for line in read_log(run.log_file)] == [1, 2]
    assert run.tensorboard.read_text() == "mine"


def test_tensorboard_has_the_same_figures_and_the_pictures(run: Run) -> None:
    """Of what was written after the checkpoint, a resumed training leaves nothing there either."""
    log = Log(run, 0)
    for step in (2, 4, 5):
        log.write({**entry(step, loss=step), "stage_images": 8 * step, "stage_seconds": 0.5})
        log.picture("samples", torch.zeros(3, 4, 4, dtype=torch.uint8), step)
        log.picture("gray", torch.zeros(1, 4, 4, dtype=torch.uint8), step)
        log.picture("odd", torch.zeros(2, 4, 4, dtype=torch.uint8), step)
    log.close()
    log = Log(run, 4)
    log.write(entry(7, loss=7))
    log.close()
    assert log._file.closed
    board = EventAccumulator(str(run.tensorboard))
    board.Reload()
    assert [(event.step, event.value) for event in board.Scalars("game/loss")] == [(2, 2), (4, 4), (7, 7)]
    assert [event.value for event in board.Scalars("game/stage_images")] == [16, 32]
    assert [event.step for event in board.Images("samples")] == [2, 4]
    assert sorted(board.Tags()["images"]) == ["gray", "samples"]
    assert set(board.Tags()["scalars"]) == {"game/loss", "game/stage_images", "game/stage_seconds"}


def test_a_board_that_fails_is_given_up(
    run: Run, monkeypatch: pytest.MonkeyPatch, recwarn: pytest.WarningsRecorder
) -> None:
    def full(*_: object) -> None:
        raise OSError("No space left on device")

    warnings.simplefilter("always")
    monkeypatch.setattr("torch.utils.tensorboard.SummaryWriter.add_scalar", full)
    log = Log(run, 0)
    for step in (1, 2):
        log.write(entry(step, loss=0.5))
    log.close()
    assert [str(warning.message) for warning in recwarn.list] == [
        "TensorBoard's files cannot be written (No space left on device): training continues without them"
    ]
    assert len(read_log(run.log_file)) == 2
