"""gantk intrinsic-dim: from any data to its dimension, for people and for programs."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import struct
import subprocess
import termios
import warnings
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from gantk.measures.dimension import intrinsic_dimension
from gantk.measures.twonn import two_nn
from gantk.ops import native

RING = ["--k", "4:12"]


@pytest.fixture
def plane(tmp_path: Path) -> Any:
    """300 points of a square, bent into 6 numbers, as plane.npy."""
    spread = np.random.default_rng(0).random((300, 2))
    points = np.stack([*spread.T, *np.sin(spread.T), *np.cos(spread.T)], axis=1)
    np.save(tmp_path / "plane.npy", points)
    return points


def found(call: Any, *arguments: str) -> dict[str, Any]:
    result: dict[str, Any] = json.loads(call("intrinsic-dim", *arguments, "--json").worked().out)
    return result


def test_the_json_is_what_the_operations_return(plane: Any, call: Any) -> None:
    shown = found(call, "plane.npy", *RING)
    assert shown["data"] == "plane.npy"
    assert (shown["points"], shown["shape"], shown["duplicates"], shown["subset"]) == (300, [6], 0, None)
    result = intrinsic_dimension(plane, range(4, 13))
    assert [row["k"] for row in shown["mle"]["curve"]] == list(range(4, 13))
    for name in ("mean", "mean_error", "harmonic", "harmonic_error", "infinite"):
        np.testing.assert_allclose([row[name] for row in shown["mle"]["curve"]], getattr(result, name), rtol=1e-12)
    for name in ("mean", "harmonic"):
        flat, reading = result.flattest(name), shown["mle"][name]
        assert (reading["from"], reading["to"]) == (flat.first, flat.last)
        np.testing.assert_allclose(
            [reading["value"], reading["error"], reading["change"]], [flat.value, flat.error, flat.change], rtol=1e-12
        )
        assert 1.8 < flat.value < 2.5
    ratios = two_nn(plane)
    assert shown["twonn"]["fit"] == pytest.approx(ratios.fit)
    assert shown["twonn"]["likelihood"] == pytest.approx(ratios.likelihood)
    assert shown["twonn"]["fit_error"] == pytest.approx(ratios.fit_error, rel=0.5)


def test_a_person_reads_values_with_errors_their_place_and_their_meaning(plane: Any, call: Any, tmp_path: Path) -> None:
    done = call("intrinsic-dim", "plane.npy", *RING, "-o", "figures/curve.png").worked()
    shown = found(call, "plane.npy", *RING)["mle"]["mean"]
    assert "plane.npy: 300 points of 6 numbers\n" in done.out
    assert f"over k = {shown['from']} to {shown['to']}, where the curve is flattest" in done.out
    assert f"{shown['value']:.3f} ± {shown['error']:.3f}" in done.out, "two figures of the error"
    for words in (
        "mode collapse",
        "uniform noise of dimension 100",
        "line fit",
        "to figures/curve.png",
        "share neighbors",
    ):
        assert words in done.out
    with Image.open(tmp_path / "figures/curve.png") as picture:
        picture.load()
        assert picture.format == "PNG"
        assert min(picture.size) > 400
    assert [entry.name for entry in (tmp_path / "figures").iterdir()] == ["curve.png"]
    call("intrinsic-dim", "plane.npy", *RING, "--json", "-o", "curve.svg").worked()
    assert b"<svg" in (tmp_path / "curve.svg").read_bytes()


def test_one_estimator_and_one_k(plane: Any, call: Any) -> None:
    alone = found(call, "plane.npy", "--estimator", "mle", "--k", "10")
    assert "twonn" not in alone
    reading = alone["mle"]["mean"]
    assert (reading["from"], reading["to"], reading["change"]) == (10, 10, None)
    assert reading["value"] == pytest.approx(intrinsic_dimension(plane, 10).mean.item())
    assert "mle" not in found(call, "plane.npy", "--estimator", "twonn")
    assert set(found(call, "plane.npy", "--k", "5", "--estimator", "twonn, mle")) >= {"mle", "twonn"}
    assert "at k = 10" in call("intrinsic-dim", "plane.npy", "--k", "10").worked().out


def test_a_subset_follows_from_its_seed(plane: Any, call: Any) -> None:
    one, again, other = (found(call, "plane.npy", *RING, "--subset", "100", "--seed", seed) for seed in ("1", "1", "2"))
    assert one == again != other
    assert one["subset"] == {"points": 100, "of": 300, "seed": 1}
    assert one["points"] == 100
    text = call("intrinsic-dim", "plane.npy", *RING, "--subset", "100").worked().out
    assert "a random subset of 100 of 300 (seed 0): its points are farther apart" in text


def test_equal_points_are_left_out_and_counted(plane: Any, call: Any, tmp_path: Path) -> None:
    np.savez(tmp_path / "twice.npz", x=np.concatenate([plane, plane[:7]]), y=plane)
    shown = found(call, "twice.npz:array=x", *RING)
    assert (shown["duplicates"], shown["points"]) == (7, 300)
    assert shown["mle"] == found(call, "plane.npy", *RING)["mle"]
    assert "; 7 exact duplicates left out" in (call("intrinsic-dim", "twice.npz:array=x", *RING).worked().out)


def test_infinite_estimates_are_null_and_said(call: Any, tmp_path: Path) -> None:
    np.save(tmp_path / "corners.npy", np.eye(20))
    shown = found(call, "corners.npy", "--k", "5:12")
    assert shown["mle"]["mean"]["value"] is None
    assert shown["mle"]["curve"][0]["infinite"] == 20
    assert shown["twonn"]["fit"] is None
    done = call("intrinsic-dim", "corners.npy", "--k", "5:12", "-o", "corners.png").worked()
    assert "all k distances are equal at 20 points" in done.out
    assert "so are\n  both averages" in done.out
    for words in ("use the harmonic mean", "noise:", "±"):
        assert words not in done.out, "there is no finite estimate to go by"
    assert done.err == ""


def test_infinite_stretches_are_skipped_and_a_curve_without_a_flat_part_is_said(call: Any, tmp_path: Path) -> None:
    lattice = np.stack(np.meshgrid(*[np.arange(8.0)] * 3), -1).reshape(-1, 3)
    np.save(tmp_path / "lattice.npy", lattice)
    shown, estimate = found(call, "lattice.npy", "--k", "5:20")["mle"], intrinsic_dimension(lattice, range(5, 21))
    assert estimate.mean[0].isinf()
    for name in ("mean", "harmonic"):
        flat, reading = estimate.flattest(name), shown[name]
        assert (reading["from"], reading["to"], reading["value"]) == (flat.first, flat.last, pytest.approx(flat.value))
        assert flat.change > 0.05
    done = call("intrinsic-dim", "lattice.npy", "--k", "5:20").worked()
    assert "mean and harmonic mean: no flat part" in done.out
    assert "up to k = 6, all k distances are equal at 432 points" in done.out
    assert "use the harmonic mean there" in done.out


def test_noise_smaller_than_an_estimate_is_said_with_a_size_that_is_not(call: Any, tmp_path: Path, plane: Any) -> None:
    np.save(tmp_path / "wide.npy", np.random.default_rng(0).normal(size=(200, 3000)))
    shown = found(call, "wide.npy", *RING)
    enough = shown["estimate"]["noise"]
    assert enough > 100
    done = call("intrinsic-dim", "wide.npy", *RING).worked()
    assert "uniform noise of dimension 100, is too small" in done.out
    assert f"use --noise uniform:dim={enough}." in done.out
    done = call("intrinsic-dim", "plane.npy", *RING).worked()
    assert "noise: 3 dimensions or more" in done.out
    assert "uniform noise of dimension 100, is enough." in done.out


@pytest.mark.parametrize("place", ["/proc/self/x.png", "/proc/self/new/x.png", "locked/x.png", "n" * 250 + ".png"])
def test_a_place_that_cannot_be_written_is_noticed_before_the_search(
    place: str, plane: Any, call: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if place.startswith("/proc") and not Path("/proc/self").is_dir():
        pytest.skip("there is no /proc here")
    (tmp_path / "locked").mkdir(mode=0o500)
    if place.startswith("locked") and os.access(tmp_path / "locked", os.W_OK):
        pytest.skip("this user may write everywhere")
    monkeypatch.setattr("gantk.measures.neighbors.knn_distances", lambda *given, **named: pytest.fail("it searched"))
    before = sorted(tmp_path.iterdir())
    assert f"{place} cannot be written: " in call("intrinsic-dim", "plane.npy", *RING, "-o", place).error(1)
    assert sorted(tmp_path.iterdir()) == before


def test_a_picture_that_fails_after_all_costs_no_estimate(
    plane: Any, call: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gantk.cli.intrinsic_dim.reserve", lambda *given: None)
    done = call("intrinsic-dim", "plane.npy", *RING, "--json", "-o", "n" * 250 + ".png")
    assert done.code == 1
    assert json.loads(done.out) == found(call, "plane.npy", *RING)
    assert "cannot be written" in done.err


def test_one_estimate_comes_first_and_no_unbiased_one_is_above_its_noise(call: Any) -> None:
    """The mean is, at k = 5, by a third; beside it the unbiased mean stands."""
    shown, text = found(call, "digits", "--subset", "1500"), call("intrinsic-dim", "digits", "--subset", "1500").out
    estimate = shown["estimate"]
    assert estimate["low"] <= estimate["value"] <= estimate["high"] <= estimate["noise"] < estimate["high"] + 1
    assert f"\nintrinsic dimension: about {estimate['value']:.1f} (" in text
    assert text.count(" or more\n") == 1
    curve = shown["mle"]["curve"]
    compared = [row[name] for row in curve for name in ("unbiased", "harmonic")]
    assert max(*compared, shown["twonn"]["fit"], shown["twonn"]["likelihood"]) == pytest.approx(estimate["high"])
    assert curve[0]["mean"] == pytest.approx(4 / 3 * curve[0]["unbiased"])
    assert "the mean is too large at small k" in text
    assert "near-duplicates: " in text


def test_near_duplicates_are_said_and_left_out_of_the_estimate(call: Any, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    points = rng.normal(size=(400, 8))
    np.save(tmp_path / "copied.npy", np.concatenate([points, points[:100] + 0.001 * rng.normal(size=(100, 8))]))
    arguments = ("copied.npy", "--k", "5:20")
    estimate, text = found(call, *arguments)["estimate"], call("intrinsic-dim", *arguments).out
    assert (estimate["points"], estimate["near_duplicates"], estimate["left_out"]) == (400, 100, True)
    assert 6 < estimate["low"] < estimate["high"] < 9
    assert estimate["with_them"][0] < 4
    assert "near-duplicates: 100 of 500 points (20%) are much closer to another point" in text
    assert "Below, all 500 points with their near-duplicates:" in text


@pytest.fixture
def every_kind(tmp_path: Path) -> dict[str, str]:
    """Small data for the plugins that read a person's own."""
    rng = np.random.default_rng(0)
    (tmp_path / "photos").mkdir()
    with zipfile.ZipFile(tmp_path / "photos.zip", "w") as archive:
        for number in range(30):
            path = tmp_path / "photos" / f"{number}.png"
            Image.fromarray(rng.integers(0, 256, (8, 8, 3), dtype=np.uint8)).save(path)
            archive.write(path, path.name)
    return {"folder": "folder:path=photos", "zip": "zip:path=photos.zip"}


def test_pictures_of_one_s_own(every_kind: dict[str, str], call: Any) -> None:
    shown = [found(call, text, *RING) for text in every_kind.values()]
    assert shown[0]["shape"] == [3, 8, 8]
    assert shown[0]["mle"] == shown[1]["mle"]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["digits", "mnist", "fashion-mnist", "cifar10:split=test"])
def test_every_bundled_data_set(name: str, data_root: Path, call: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GANTK_DATA", str(data_root))
    shown = found(call, name, "--subset", "200", *RING)
    assert shown["points"] == 200
    assert shown["shape"] == ([3, 32, 32] if "cifar10" in name else [1, 28, 28])
    assert 3 < shown["mle"]["harmonic"]["value"] < 40


WRONG: dict[str, tuple[list[str], str, int]] = {
    "no plugin": (["digit"], "Did you mean 'digits'?", 2),
    "option": (["digits:size=3"], "has no option 'size'", 2),
    "missing root": (["mnist"], "path=FOLDER or the environment variable GANTK_DATA", 1),
    "no file": (["nowhere.npy"], "nowhere.npy: no such file", 1),
    "which array": (["two.npz"], "contains a, b: choose one, as in two.npz:array=a", 2),
    "no array": (["two.npz:array=c"], "no array 'c'", 2),
    "not points": (["two.npz:array=b"], "expected points [N, D]", 1),
    "NaN": (["nan.npy"], "nan.npy: 2 of 300 points contain NaN or infinite", 1),
    "infinite": (["nan.npz:array=infinite"], "nan.npz:infinite: 1 of 300 points contain NaN or infinite", 1),
    "huge": (["nan.npz:array=huge"], "nan.npz:huge: 1 of 300 points contain values above 1e+150", 1),
    "1 point": (["few.npz:array=one"], "one has 1 point; mle needs 3 and twonn needs 4 or more: use more points", 2),
    "2 points": (["few.npz:array=two", "--estimator", "twonn"], "two has 2 points; twonn needs 4 or more", 2),
    "1 without duplicates": (["few.npz:array=same"], "same has 1 point without 4 duplicates; mle needs 3", 2),
    "3 points": (["few.npz:array=three"], "three has 3 points; twonn needs 4 or more: use --estimator mle --k 2.", 2),
    "5 points": (["few.npz:array=five"], "five has 5 points, so k is at most 4: use --k 2:4.", 2),
    "one k too great": (["few.npz:array=five", "--k", "9"], "so k is at most 4: use --k 4.", 2),
    "a subset of 4": (["plane.npy", "--subset", "4"], "the subset of plane.npy has 4 points, so k is at most 3", 2),
    "k=1": (["plane.npy", "--k", "1"], "expected 2 or more", 2),
    "k=x": (["plane.npy", "--k", "x:5"], "not 'x:5'", 2),
    "k backwards": (["plane.npy", "--k", "9:5"], "a range in ascending order", 2),
    "k=5:": (["plane.npy", "--k", "5:"], "or a range, such as 5:100", 2),
    "k too great": (["plane.npy", "--k", "5:300"], "300 points, so k is at most 299: use --k 5:299.", 2),
    "estimator": (["plane.npy", "--estimator", "mle,twon"], "no estimator 'twon'. Did you mean 'twonn'?", 2),
    "no estimator": (["plane.npy", "--estimator", ""], "no estimator ''", 2),
    "subset too great": (["plane.npy", "--subset", "301"], "plane.npy has 300 points; leave --subset out", 2),
    "subset=0": (["plane.npy", "--subset", "0"], "gantk intrinsic-dim --help", 2),
    "seed": (["plane.npy", "--seed", "-1"], "gantk intrinsic-dim --help", 2),
    "picture of nothing": (["plane.npy", "--estimator", "twonn", "-o", "x.png"], "the estimates of mle", 2),
    "picture's kind": (["plane.npy", "-o", "x.gif"], "expected NAME.png or NAME.svg or NAME.pdf", 2),
    "no data": ([], "gantk intrinsic-dim --help", 2),
}


@pytest.mark.parametrize(("arguments", "mend", "code"), WRONG.values(), ids=WRONG)
def test_what_is_wrong_is_said_with_its_mend(
    arguments: list[str], mend: str, code: int, plane: Any, tmp_path: Path, call: Any
) -> None:
    np.savez(tmp_path / "two.npz", a=plane, b=plane[0])
    undefined, infinite, huge = plane.copy(), plane.copy(), plane.copy()
    undefined[3:5, 0], infinite[7, 1], huge[9, 2] = np.nan, -np.inf, 1e160
    np.save(tmp_path / "nan.npy", undefined)
    np.savez(tmp_path / "nan.npz", infinite=infinite.astype(np.float16), huge=huge)
    np.savez(
        tmp_path / "few.npz", one=plane[:1], two=plane[:2], three=plane[:3], five=plane[:5], same=plane[[0, 0, 0, 0, 0]]
    )
    before = sorted(tmp_path.iterdir())
    assert mend in call("intrinsic-dim", *arguments).error(code)
    assert sorted(tmp_path.iterdir()) == before


def test_want_of_native_code_is_said_in_one_line(plane: Any, call: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gantk.ops.native.cpu", lambda: None)
    monkeypatch.setattr("gantk.ops.knn.distances.MANY", 0)
    native.warn_missing.cache_clear()
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        done = call("intrinsic-dim", "plane.npy", *RING).worked()
    assert done.err.count("\n") == 1
    assert done.err.startswith("gantk: warning: gantk.ops.knn_distances uses plain torch")


@pytest.mark.slow
@pytest.mark.parametrize("columns", [100, 0], ids=["wide", "a terminal that does not say how wide"])
def test_a_terminal_sees_a_bar_and_a_pipe_sees_none(
    columns: int, plane: Any, tmp_path: Path, call: Any, start: Any
) -> None:
    assert call("intrinsic-dim", "plane.npy", *RING).worked().err == ""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    running = start("intrinsic-dim", "plane.npy", *RING, "--json", cwd=tmp_path, stdout=subprocess.PIPE, stderr=theirs)
    os.close(theirs)
    out = running.communicate(timeout=100)[0]
    shown = os.read(ours, 1 << 16).decode()
    os.close(ours)
    assert running.returncode == 0
    assert json.loads(out)["points"] == 300
    assert "searching:   0%|" in shown
    assert shown.endswith("\r"), "the bar is gone when it is done"


def test_points_that_rounding_tells_apart_are_left_out_and_counted(call: Any, tmp_path: Path) -> None:
    x = np.random.default_rng(0).standard_normal((300, 30)).astype(np.float32)
    np.save(tmp_path / "near.npy", np.concatenate((x, np.nextafter(x[:90], np.float32(np.inf)), x[:3])))
    shown = json.loads(call("intrinsic-dim", "near.npy", "--k", "5:20", "--json").out)
    assert (shown["points"], shown["duplicates"], shown["equal_up_to_rounding"]) == (300, 3, 90)
    text = call("intrinsic-dim", "near.npy", "--k", "5:20").out
    assert "3 exact duplicates left out" in text
    assert "90 points equal to another up to rounding error left out" in text
