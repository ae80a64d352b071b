"""The table of an evaluation: means with their spread, one line of protocol, and what was left out."""

from __future__ import annotations

import math
from dataclasses import replace

from scored import PROTOCOL, changed, score

from gantk.report.evaluation import evaluation_text, mean_and_spread


def test_means_have_the_digits_of_their_spread() -> None:
    assert mean_and_spread([12.3456]) == "12.35"
    assert mean_and_spread([1.0, 2.0, 3.0]) == "2.0 ± 1.0"
    assert mean_and_spread([0.12345, 0.12355]) == "0.123500 ± 0.000071"
    assert mean_and_spread([1000.0, 3000.0]) == "2000 ± 1414"
    assert mean_and_spread([2.0, 2.0]) == "2 ± 0"
    assert mean_and_spread([math.nan, 1.0]) == "nan ± nan"


def test_a_column_for_each_checkpoint_and_one_protocol() -> None:
    later = changed(generated__step=900, generated__weights="cafe")
    scores = [
        score(value, protocol=changed(protocol, generated__seed=seed))
        for protocol in (PROTOCOL, later)
        for seed, value in enumerate((1.0, 2.0))
    ]
    lines = evaluation_text(scores, {"fid": "no weights"}).splitlines()
    assert lines[0].split() == ["METRIC", "FIGURE", "STEP", "500", "STEP", "900"]
    assert lines[1].split() == ["toy", "distance", *["1.50", "±", "0.71"], *["1.50", "±", "0.71"]]
    assert "(beef, cafe), steps 500, 900, seeds 0, 1, weights not averaged" in lines[3]
    assert lines[-2:] == ["left out:", "  fid  no weights"]


def test_a_line_for_each_set_of_features() -> None:
    images_alone = replace(score(metric="gantk:bright"), protocol=changed(features=None))
    other = score(protocol=changed(features__extractor="other", features__hash="0ther"))
    text = evaluation_text([images_alone, score(), other], {})
    assert text.count("real: ") == 2
    assert "features: pixels (f00d)" in text
    assert "features: other (0ther)" in text
    assert evaluation_text([], {}) == "nothing was measured"
