"""metrics.json: what is written is read again, one entry per metric and protocol, and damage is told in one line."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from scored import PROTOCOL, REAL, changed, score

from gantk.errors import RunError
from gantk.evaluation.protocol import differences, is_noted, line
from gantk.evaluation.scores import add_score, newest_figures, read_scores


def test_scores_are_read_as_they_were_written(tmp_path: Path) -> None:
    file = tmp_path / "run" / "metrics.json"
    assert read_scores(file) == []
    written = [score(k=5), score(metric="gantk:other", protocol=changed(held_out=REAL, features=None))]
    for each in written:
        add_score(file, each)
    assert read_scores(file) == written
    assert [each["metric"] for each in json.loads(file.read_text())] == ["gantk:toy", "gantk:other"]
    assert written[0].name == "toy:k=5"


def test_what_is_no_number_in_json_comes_back(tmp_path: Path) -> None:
    file = tmp_path / "metrics.json"
    add_score(file, replace(score(), figures={"a": math.nan, "b": math.inf, "c": -math.inf, "d": 1}))
    (found,) = read_scores(file)
    assert math.isnan(found.figures["a"])
    assert (found.figures["b"], found.figures["c"], found.figures["d"]) == (math.inf, -math.inf, 1.0)
    json.loads(file.read_text(), parse_constant=lambda word: pytest.fail(f"{word} is not JSON"))


def test_the_same_measured_again_replaces_and_everything_else_is_added(tmp_path: Path) -> None:
    file = tmp_path / "metrics.json"
    add_score(file, score(1.0))
    for again in (
        score(2.0),
        score(3.0, protocol=changed(real__data="another name of the same images", generated__source="./x")),
        score(4.0, protocol=changed(versions={"gantk": "9"})),
    ):
        add_score(file, again)
        assert read_scores(file) == [again]
    others = [
        score(k=3),
        score(protocol=changed(real__content="other images of the same name")),
        score(protocol=changed(features__hash="another network of the same name")),
        score(protocol=changed(generated__seed=1)),
        score(protocol=changed(generated__weights="trained on")),
        score(protocol=changed(features=None)),
        score(protocol=changed(held_out=REAL)),
    ]
    for number, other in enumerate(others, 2):
        add_score(file, other)
        assert len(read_scores(file)) == number


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[",
        '{"frechet": 3}',
        "[3]",
        "[{}]",
        b"\xff\xfe\xff",
        "[" * 100_000,
    ],
)
def test_a_damaged_file_is_one_clear_line(tmp_path: Path, text: Any) -> None:
    file = tmp_path / "metrics.json"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    for use in (lambda: read_scores(file), lambda: add_score(file, score())):
        with pytest.raises(RunError, match=r"metrics.json is damaged .*: move it away, and run gantk evaluate again"):
            use()
    assert file.read_bytes() == (text if isinstance(text, bytes) else text.encode()), "nothing is lost"


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        (("figures", "distance"), "much", "figures.distance is 'much'"),
        (("protocol", "real", "images"), True, "protocol.real.images is True"),
        (("protocol", "real", "content"), None, "protocol.real.content is None"),
        (("protocol", "generated", "future"), 1, "protocol.generated.future is unknown"),
        (("seconds",), None, "seconds is None"),
    ],
)
def test_a_damaged_entry_is_named(tmp_path: Path, path: tuple[str, ...], value: Any, said: str) -> None:
    file = tmp_path / "metrics.json"
    add_score(file, score())
    written = json.loads(file.read_text())
    table = written[0]
    for key in path[:-1]:
        table = table[key]
    table[path[-1]] = value
    file.write_text(json.dumps(written))
    with pytest.raises(RunError, match=f"score 1.{said}"):
        read_scores(file)


def test_differences_tell_what_must_be_equal_from_what_is_noted() -> None:
    other = changed(real__data="renamed", real__content="x", generated__step=7, generated__images=50)
    found = differences(PROTOCOL, other)
    assert list(found) == ["real.content", "generated.images", "generated.step"]
    assert found["generated.images"] == (100, 50)
    assert [is_noted(path) for path in found] == [False, False, True]
    assert differences(PROTOCOL, changed(real__data="renamed", generated__source="renamed")) == {}


def test_a_line_says_the_whole_protocol() -> None:
    said = line(changed(features__test_error=0.0042))
    for part in ("100 of 10,000 × digits (c0ffee)", "100 × runs/x", "step 500, seed 0, weights not averaged"):
        assert part in said
    assert "features: pixels (f00d, test error 0.42%), 784 numbers, not resized" in said
    assert "\n" not in said


def test_the_newest_figures_are_means_over_the_seeds_of_one_checkpoint() -> None:
    new = changed(generated__weights="new", generated__step=900)
    later = replace(score(9.0, protocol=new), when="2026-11-28T00:00:00+00:00")
    second = replace(later, figures={"distance": 11.0}, protocol=changed(later.protocol, generated__seed=1))
    assert newest_figures([score(), later, second]) == {"toy/distance": 10.0}
    assert newest_figures([]) == {}
