"""Runs side by side: what stands in one row, what may stand in one column, and what is marked."""

from __future__ import annotations

import csv
import math
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from compared import FRECHET, PRDC, laid, logged, row, scored
from scored import FEATURES, REAL, changed, score

import gantk
from gantk.errors import RunError, UsageError
from gantk.evaluation.entries import found_entries, rows_of
from gantk.evaluation.scores import add_score
from gantk.report.compare import _value, compare
from gantk.report.curves import logged_curves
from gantk.run.folder import Run
from gantk.run.history import Change, add_change


def test_runs_that_differ_in_their_seed_are_one_row_with_mean_and_spread(tmp_path: Path) -> None:
    a = row(tmp_path, "a", {0: 10.0, 1: 11.0, 2: 12.0})
    b = row(tmp_path, "b", {0: 20.0, 1: 22.0}, lr=1e-4)
    found = compare([b[1], *a, b[0]])
    assert [(each.name, each.seeds) for each in found.rows] == [("b", [0, 1]), ("a", [0, 1, 2])]
    cell = found.cell(1, "frechet")
    assert cell is not None
    assert (cell.mean, cell.spread) == (11.0, 1.0)
    text = str(found)
    assert re.search(r"^MODEL +SEEDS +STEP +frechet ↓$", text, re.MULTILINE)
    assert re.search(r"^a +0, 1, 2 +500 +11\.0 ± 1\.0 \*$", text, re.MULTILINE)
    assert re.search(r"^b +0, 1 +500 +21\.0 ± 1\.4$", text, re.MULTILINE)
    assert "rows differ in stages.game.generator.lr (0.0001, 0.0002)" in text
    assert "100 of 10,000 × digits (c0ffee)" in text
    assert "best" not in text


def test_what_says_nothing_of_the_training_makes_no_row(tmp_path: Path) -> None:
    scored(laid(tmp_path / "a-0", 0), {"frechet": 1.0})
    scored(laid(tmp_path / "a-1", 1, title="another title", versions={"torch": "2.12.0"}), {"frechet": 2.0})
    assert len(compare([tmp_path]).rows) == 1
    add_change(Run(tmp_path / "a-1"), Change(100, {"train": {"ema": 0.9}}, {"train": {"ema": 0.0}}))
    assert len(compare([tmp_path]).rows) == 2, "it was trained in another way for a while"


def test_a_second_run_of_one_seed_and_another_step_are_no_further_seeds(tmp_path: Path) -> None:
    row(tmp_path, "a", {0: 1.0, 1: 2.0})
    scored(laid(tmp_path / "again", 0), {"frechet": 1.0})
    scored(laid(tmp_path / "short", 2), {"frechet": 9.0}, generated__step=100)
    rows = compare([tmp_path]).rows
    assert [[Path(entry.name).name for entry in each.entries] for each in rows] == [
        ["a-0", "a-1"],
        ["again"],
        ["short"],
    ]


def test_several_samples_of_one_run_are_one_value(tmp_path: Path) -> None:
    run = laid(tmp_path / "a")
    for seed, value in enumerate((1.0, 3.0)):
        scored(run, {"frechet": value}, generated__seed=seed)
    found = compare([run])
    assert found.cell(0, "frechet").values == (2.0,)  # type: ignore[union-attr]
    assert "seeds 0, 1" in str(found)


@pytest.mark.parametrize(
    ("a", "b", "ahead"),
    [
        ((10.0, 11.0), (14.0, 15.0), 0),
        ((14.0, 15.0), (10.0, 11.0), 1),
        ((10.0, 11.0), (11.0, 12.0), None),
        ((10.0, 10.0), (10.1, 10.1), 0),
        ((10.0, 10.0), (10.0, 10.0), None),
        ((10.0, math.inf), (20.0, 21.0), None),
        ((10.0,), (20.0, 21.0), None),
    ],
)
def test_a_row_is_marked_where_the_spread_allows_it(
    tmp_path: Path, a: tuple[float, ...], b: tuple[float, ...], ahead: int | None
) -> None:
    row(tmp_path, "a", dict(enumerate(a)))
    row(tmp_path, "b", dict(enumerate(b)), lr=1.0)
    found = compare([tmp_path])
    assert found.columns[0].ahead == ahead
    assert bool(found.columns[0].why) == (ahead is None)
    assert ("*: ahead of every other row" in str(found)) == (ahead is not None)
    assert ("nothing is marked in frechet: " in str(found)) == (ahead is None)


def test_one_row_of_three_is_ahead_of_both_others_or_of_none(tmp_path: Path) -> None:
    row(tmp_path, "a", {0: 1.0, 1: 1.1})
    row(tmp_path, "b", {0: 5.0, 1: 5.1}, lr=1.0)
    row(tmp_path, "c", {0: 2.0, 1: 30.0}, lr=2.0)
    (column,) = compare([tmp_path]).columns
    assert column.ahead is None
    assert "a and c differ by 15" in column.why


def test_higher_is_better_where_the_metric_says_so_and_nothing_is_marked_where_it_says_nothing(tmp_path: Path) -> None:
    for name, values in (("a", (0.5, 0.51)), ("b", (0.8, 0.81))):
        for seed, value in enumerate(values):
            run = laid(tmp_path / f"{name}-{seed}", seed, lr=len(values) * ord(name))
            scored(run, {"precision": value, "mystery": value}, PRDC)
            scored(run, {"value": value}, "elsewhere:not-installed")
    found = {column.name: column for column in compare([tmp_path]).columns}
    assert (found["prdc/precision"].better, found["prdc/precision"].ahead) == ("higher", 1)
    for name in ("prdc/mystery", "not-installed/value"):
        assert (found[name].better, found[name].ahead, found[name].why) == ("", None, "")


@pytest.mark.parametrize(
    ("protocol", "said"),
    [
        ({"generated__images": 50}, "number of generated images (generated.images): 100 in "),
        ({"real__content": "beef"}, "real images (real.content): digits c0ffee in "),
        ({"real__images": 99}, "number of real images"),
        ({"features__hash": "other"}, "weights or code of the extractor"),
        ({"features__resize": "bilinear"}, "resizing by the extractor"),
        ({"features__dtype": "float16"}, "features.dtype"),
        ({"features": None}, "features (features): pixels in "),
        ({"generated__quantized": "none"}, "quantization"),
        ({"generated__averaged": True}, "averaged weights (generated.averaged): no in "),
        ({"generated__refined": True}, "refiner (generated.refined): no in "),
        ({"held_out": REAL}, "held_out"),
    ],
)
def test_numbers_of_two_protocols_are_refused_and_the_field_is_named(
    tmp_path: Path, protocol: dict[str, Any], said: str
) -> None:
    row(tmp_path, "a", {0: 1.0, 1: 2.0})
    row(tmp_path, "b", {0: 3.0}, **protocol)
    with pytest.raises(UsageError, match="nothing was measured alike: frechet: ") as error:
        compare([tmp_path])
    assert said in str(error.value)
    assert str(tmp_path / "b-0") in str(error.value)


@pytest.mark.parametrize(
    "protocol",
    [
        {"generated__seed": 7},
        {"generated__step": 900},
        {"generated__labels": "drawn as the data has them"},
        {"real__data": "another name of the same images", "generated__source": "elsewhere"},
        {"versions": {"gantk": "9"}},
    ],
)
def test_what_may_differ_stands_in_one_column(tmp_path: Path, protocol: dict[str, Any]) -> None:
    row(tmp_path, "a", {0: 1.0})
    row(tmp_path, "b", {0: 3.0}, lr=1.0, **protocol)
    assert len(compare([tmp_path]).columns) == 1


def test_weights_are_averaged_and_images_refined_where_the_model_does_so(tmp_path: Path) -> None:
    row(tmp_path, "plain", {0: 1.0})
    train = {"ema": 0.99}
    whole = {"generated__averaged": True, "generated__refined": True}
    refined = laid(tmp_path / "refined", train=train, refiner={"plugin": "gantk:denoiser"})
    scored(refined, {"frechet": 2.0}, **whole)
    text = str(compare([tmp_path]))
    assert "averaged weights where a model has them" in text
    assert "refined where a model has a refiner" in text
    bare = laid(tmp_path / "bare", train=train, refiner={"plugin": "gantk:denoiser"})
    scored(bare, {"frechet": 3.0}, generated__averaged=True)
    with pytest.raises(UsageError, match="refiner"):
        compare([tmp_path])
    scored(refined, {"frechet": 2.0}, generated__averaged=True)
    assert compare([refined, bare]).cell(0, "frechet").mean == 2.0  # type: ignore[union-attr]


def test_a_protocol_that_all_share_is_found_among_several_and_the_rest_is_left_out(tmp_path: Path) -> None:
    a, b = row(tmp_path, "a", {0: 1.0})[0], row(tmp_path, "b", {0: 2.0}, lr=1.0)[0]
    scored(a, {"frechet": 0.1}, generated__images=5000)
    scored(a, {"precision": 0.5}, PRDC)
    scored(b, {"precision": 0.6}, PRDC, generated__images=5000)
    found = compare([a, b])
    assert [cell.mean for cell in found.columns[0].cells if cell] == [1.0, 2.0]
    assert list(found.refused) == ["prdc:k=5"]
    assert "not compared: prdc:k=5: number of generated images" in str(found)
    with pytest.raises(UsageError, match=r"prdc:k=5 was not measured alike: number of generated"):
        compare([a, b], metrics="precision")
    assert len(compare([a, b], metrics=["frechet"]).columns) == 1
    with pytest.raises(UsageError, match=r"nobody measured 'frechte'. Did you mean 'frechet'"):
        compare([a, b], metrics=["frechte"])


def test_two_ways_of_measuring_are_two_columns_that_say_which(tmp_path: Path) -> None:
    for name in ("a", "b"):
        run = row(tmp_path, name, {0: 1.0}, lr=float(ord(name)))[0]
        scored(run, {"frechet": 7.0}, features=replace(FEATURES, extractor="classifier", hash="abc"))
    found = compare([tmp_path])
    assert len(found.columns) == 2
    text = str(found)
    assert "[1] ↓" in text
    assert re.search(r"^\[1\] frechet: real: .*features: pixels", text, re.MULTILINE)
    assert re.search(r"^\[2\] frechet: real: .*features: classifier", text, re.MULTILINE)


def test_the_newest_checkpoint_stands_for_a_run_or_the_best_of_so_many(tmp_path: Path) -> None:
    for name, values in (("a", (9.0, 3.0, 5.0)), ("b", (4.0, 6.0))):
        run = laid(tmp_path / name, lr=float(ord(name)))
        for number, value in enumerate(values, 1):
            scored(run, {"frechet": value}, generated__step=1000 * number)
    found = compare([tmp_path])
    assert [cell.mean for cell in found.columns[0].cells if cell] == [5.0, 6.0]
    assert found.steps == ("3,000", "2,000")
    found = compare([tmp_path], best="frechet")
    assert [cell.mean for cell in found.columns[0].cells if cell] == [3.0, 4.0]
    assert found.steps == ("2,000 (best of 3)", "1,000 (best of 2)")
    at = compare([tmp_path / "a/checkpoints/step-0001000", tmp_path / "b"])
    assert [cell.mean for cell in at.columns[0].cells if cell] == [9.0, 6.0]
    with pytest.raises(
        RunError, match=r"no scores of step 77, only of 1000, 2000, 3000: run gantk evaluate .* --step 77"
    ):
        compare([tmp_path / "a/checkpoints/step-0000077"])
    with pytest.raises(UsageError, match=r"has no figure 'precision'\. Known: frechet"):
        compare([tmp_path], best="precision")


def test_a_checkpoint_that_training_kept_as_the_best_says_out_of_how_many(tmp_path: Path) -> None:
    run = logged(laid(tmp_path / "a"), {100: 0.1, 200: 0.3, 300: 0.2})
    for step in (200, 300):
        scored(run, {"precision": step / 1000}, PRDC, generated__step=step)
        (run / f"checkpoints/step-{step:07d}").mkdir(parents=True)
    (run / "checkpoints/best.json").write_text('{"step": 200, "figure": "prdc/precision", "value": 0.3}')
    assert "best" not in str(compare([run])), "the newest one was not chosen"
    said = "step 200 of .*a was kept in training as the best of 3 by prdc/precision"
    assert re.search(said, str(compare([run / "checkpoints/step-0000200"])))


def test_scores_of_weights_that_are_gone_do_not_count(tmp_path: Path) -> None:
    run = scored(laid(tmp_path / "a"), {"frechet": 1.0}, generated__weights="before --fresh")
    made = score(metric=FRECHET, protocol=changed(generated__weights="now"))
    add_score(run / "metrics.json", replace(made, figures={"frechet": 2.0}, when="2026-11-30T00:00:00+00:00"))
    assert compare([run]).cell(0, "frechet").values == (2.0,)  # type: ignore[union-attr]


def test_images_of_another_program_are_compared_with_a_run(tmp_path: Path) -> None:
    run = row(tmp_path, "a", {0: 1.0})[0]
    (tmp_path / "theirs").mkdir()
    given = {"generated__averaged": None, "generated__refined": None, "generated__seed": None, "generated__step": None}
    made = score(metric=FRECHET, protocol=changed(generated__weights="", generated__content="ab", **given))
    add_score(tmp_path / "theirs.metrics.json", replace(made, figures={"frechet": 2.0}))
    for theirs in ("theirs", "theirs.metrics.json"):
        found = compare([run, tmp_path / theirs])
        assert [cell.mean for cell in found.columns[0].cells if cell] == [1.0, 2.0]
        assert found.rows[1].seeds == []


def test_what_cannot_be_compared_is_told(tmp_path: Path) -> None:
    run = laid(tmp_path / "a")
    with pytest.raises(RunError, match=r"a has no scores: run gantk evaluate .*a first"):
        compare([run])
    with pytest.raises(RunError, match="is not a run"):
        compare([tmp_path / "nothing"])
    (tmp_path / "images").mkdir()
    with pytest.raises(RunError, match=r"images is not a run and has no scores \(images.metrics.json\)"):
        compare([tmp_path / "images"])
    scored(run, {"frechet": 1.0})
    with pytest.raises(UsageError, match="named twice"):
        compare([run, run])
    with pytest.raises(UsageError, match="name the runs"):
        compare([])
    with pytest.raises(UsageError, match=r"expected NAME.md or NAME.csv"):
        compare([run]).save(tmp_path / "table.xlsx")


def test_a_csv_reads_back_to_the_last_digit(tmp_path: Path) -> None:
    row(tmp_path, "a,b", {0: 0.1, 1: 1 / 3})
    row(tmp_path, 'c"d', {0: 2.0}, lr=1.0)
    found = gantk.compare([tmp_path])
    found.save(tmp_path / "table.csv")
    with (tmp_path / "table.csv").open(newline="", encoding="utf-8") as file:
        first, second = csv.DictReader(file)
    assert (first["model"], second["model"]) == ("a,b", 'c"d-0')
    cell = found.cell(0, "frechet")
    assert cell is not None
    assert (float(first["frechet"]), float(first["frechet spread"])) == (cell.mean, cell.spread)
    assert (first["seeds"], first["frechet runs"], second["frechet spread"]) == ("0 1", "2", "")
    assert "c0ffee" in first["protocol"]


def test_latex_and_markdown_are_escaped(tmp_path: Path) -> None:
    row(tmp_path, "50%_a|b&c$", {0: 1.0, 1: 1.1})
    row(tmp_path, "d", {0: 5.0, 1: 5.1}, lr=1.0)
    found = compare([tmp_path])
    found.save(tmp_path / "table.tex")
    tex = (tmp_path / "table.tex").read_text()
    assert r"50\%\_a$|$b\&c\$ & 0, 1 & 500 & \textbf{1.050 $\pm$ 0.071} \\" in tex
    assert r"frechet $\downarrow$" in tex
    assert "bold: ahead of every other row" in tex
    assert tex.isascii()
    found.save(tmp_path / "table.md")
    line = next(each for each in (tmp_path / "table.md").read_text().splitlines() if "50%" in each)
    assert line == r"| 50%\_a\|b&c$ | 0, 1 | 500 | **1.050 ± 0.071** |"


def test_curves_are_drawn_where_they_were_measured_alike(tmp_path: Path) -> None:
    for seed in (0, 1):
        logged(laid(tmp_path / f"a-{seed}", seed), {10: 0.1, 20: 0.2 + seed, 30: math.nan})
    logged(laid(tmp_path / "b", lr=1.0), {5: 0.3, 20: 0.4})
    rows = rows_of(entries := found_entries([tmp_path]), [None] * len(entries))
    curves = logged_curves(rows)
    assert list(curves.figures) == ["prdc/precision"]
    assert curves.better["prdc/precision"] == "higher"
    assert [len(each) for each in curves.figures["prdc/precision"]] == [2, 1]
    assert curves.figures["prdc/precision"][0][0][0].tolist() == [10, 20], "NaN is no point"
    for entry in entries:
        scored(Path(entry.name), {"frechet": 1.0})
    compare([tmp_path]).save(tmp_path / "curves.png")
    assert (tmp_path / "curves.png").read_bytes().startswith(b"\x89PNG")
    train = {"ema": 0.0, "measure_samples": 60, "extractor": "pixels"}
    logged(laid(tmp_path / "c", train=train), {5: 0.3})
    rows = rows_of(entries := found_entries([tmp_path]), [None] * len(entries))
    with pytest.raises(UsageError, match=r"prdc/precision: train.measure_samples is 50 in .*a-0, and 60 in .*c"):
        logged_curves(rows)
    rows = rows_of(entries := found_entries([laid(tmp_path / "d")]), [None])
    with pytest.raises(UsageError, match="none of these runs logged a metric: build them with --metric"):
        logged_curves(rows)


def test_parts_in_which_rows_differ_are_named_as_they_are_typed() -> None:
    shown = [
        _value(each)
        for each in (
            [{"plugin": "gantk:prdc", "k": 3}, {"plugin": "others:mine"}],
            {"plugin": "gantk:de"},
            [],
            None,
            0.1,
        )
    ]
    assert shown == ["prdc:k=3 and others:mine", "de", "none", "none", "0.1"]
