"""From a log to curves: what is averaged, what continues over stages, and which curves share a chart."""

from __future__ import annotations

import math
from typing import Any

import pytest

from gantk.pages.charts import charts_of, numbers
from gantk.pages.tracks import NAMES, track_of


def line(step: int, stage: str = "game", images: int | None = None, **values: float) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "step": step,
        "stage": stage,
        "values": {k.replace("__", "/"): v for k, v in values.items()},
    }
    return entry if images is None else {**entry, "stage_images": images, "stage_seconds": images / 10}


def test_rows_are_means_within_a_stage() -> None:
    entries = [line(n, "pretrain" if n <= 3 else "game", g__a=float(n)) for n in range(1, 8)]
    track = track_of(entries, 4)
    assert track.lines == 2
    assert track.steps == [2, 3, 5, 7]
    assert track.values["g/a"] == [1.5, 3.0, 4.5, 6.5]
    assert track.stages == [("pretrain", 1), ("game", 4)]
    assert track.images == track.hours == [], "this log does not say"


def test_images_and_time_continue_over_stages() -> None:
    track = track_of([line(1, "a", 8), line(2, "a", 16), line(3, "b", 4)], 100)
    assert track.images == [8, 16, 20]
    assert [each * 3600 for each in track.hours] == pytest.approx([0.8, 1.6, 2.0])


def test_steps_that_were_trained_again_count_once() -> None:
    track = track_of([line(1, g__a=1), line(2, g__a=9), line(2, g__a=2, measure__m__x=5), line(1, g__b=3)], 100)
    assert track.steps == [1, 2]
    assert track.values == {"g/a": [1, 2], "g/b": [3, None], "measure/m/x": [None, 5]}


def test_values_that_are_not_finite_are_told() -> None:
    track = track_of([line(1, g__a=1), line(2, g__a=math.nan), line(3, g__a=math.inf)], 100)
    assert track.values["g/a"] == [1, None, None]
    assert track.not_finite == {"g/a": 2}
    (group,) = charts_of([track], ["x"], [{}])
    assert group.charts[0].note == "a was NaN or infinite at step 2 and maybe later, where nothing is drawn"
    assert group.charts[0].rows == [["1", "1"]]


def test_a_log_of_many_names_is_cut() -> None:
    track = track_of([line(1, **{f"g__{n}": 1.0 for n in range(NAMES + 7)})], 100)
    assert (len(track.values), track.left_out) == (NAMES, 7)


VALUES = {
    "d__hinge": 1.0,
    "d__hinge__real": 0.4,
    "d__objective": 1.0,
    "g__hinge": 2.0,
    "g__hidden": 3.0,
    "g__hidden__weight": 0.1,
    "g__objective": 2.3,
    "g__gradient_norm": 1.0,
    "g__state__ada.p": 0.5,
    "measure__prdc__recall": 0.5,
}


def test_a_run_has_a_chart_for_each_player() -> None:
    track = track_of([{**line(1, **VALUES), "images_per_second": 9.0}], 100)
    groups = charts_of([track], ["x"], [{"metric": [{"plugin": "gantk:prdc"}]}])
    found = {g.title: {c.title: [s.label for s in c.series] for c in g.charts} for g in groups}
    assert found == {
        "Losses": {"d": ["hinge", "hinge/real"], "g": ["hinge", "hidden", "objective"]},
        "Scores in training": {"prdc/recall": ["prdc/recall"]},
        "Speed": {"images per second": ["images per second"]},
        "Gradients, weights and states": {
            "weights of terms": ["g/hidden/weight"],
            "gradient norms": ["g"],
            "g: ada.p": ["g: ada.p"],
        },
    }
    assert [g.open for g in groups] == [True, True, True, False]
    assert groups[1].charts[0].note == "higher is better"


def test_several_runs_have_a_chart_for_each_value() -> None:
    tracks = [track_of([line(n, **VALUES) for n in steps], 100) for steps in ((1, 2), (2, 4, 6))]
    tracks[1].values["d/hinge"] = [None] * 3
    groups = charts_of(tracks, ["one", "two"], [{}, {}])
    found = {c.title: [s.label for s in c.series] for g in groups for c in g.charts}
    assert found["d/hinge"] == ["one"]
    assert found["g/hinge"] == ["one", "two"]
    assert found["d/objective"] == ["two"], "where it repeats the only term, it is left out"
    assert "d/hinge/real" in {c.title for g in groups for c in g.charts if g.title == "Parts of the losses"}
    data = numbers(tracks, groups)
    assert [run["steps"] for run in data["runs"]] == [[1, 2], [2, 4, 6]]
    assert len(data["charts"]) == len(found)
