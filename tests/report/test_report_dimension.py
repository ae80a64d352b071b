"""The intrinsic dimension as people and programs read it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from gantk.measures.dimension import intrinsic_dimension
from gantk.measures.neighbors import Neighbors
from gantk.measures.twonn import two_nn
from gantk.report.dimension import curve, dimension_text, of_mle, of_two_nn

POINTS = np.random.default_rng(0).normal(size=(80, 4))
NOTHING = {"data": "x", "points": 80, "shape": [4], "duplicates": 0, "equal_up_to_rounding": 0, "subset": None}


def rows(text: str) -> list[str]:
    """The rows of the table over k."""
    lines = text.splitlines()
    start = next(index for index, line in enumerate(lines) if line.startswith("  k "))
    return [line.split()[0] for line in lines[start + 1 :] if line]


@pytest.mark.parametrize(
    ("k", "shown"),
    [
        (range(5, 8), ["5", "6", "7"]),
        (range(3, 24), ["3", "4", "6", "8", "10", "12", "14", "16", "18", "20", "22", "23"]),
        (range(5, 71), ["5", "10", "20", "30", "40", "50", "60", "70"]),
        ([7], ["7"]),
    ],
)
def test_round_ks_are_shown_and_both_ends(k: Any, shown: list[str]) -> None:
    text = dimension_text({**NOTHING, "mle": of_mle(intrinsic_dimension(POINTS, k))})
    assert rows(text) == shown


def test_values_have_the_figures_that_their_errors_leave_them() -> None:
    found = {"fit": 12.34567, "fit_error": 0.0123, "likelihood": 12.34567, "likelihood_error": 1.9}
    text = dimension_text({**NOTHING, "twonn": {**found, "points": 5, "discarded": 1}})
    assert "12.346 ± 0.012" in text
    assert "12.3 ± 1.9" in text
    assert "without the 1 largest of 5 ratios" in text
    text = dimension_text({**NOTHING, "duplicates": 1, "twonn": {**found, "fit": None, "points": 5, "discarded": 1}})
    assert "infinite" in text
    assert "; 1 exact duplicate left out" in text


def test_infinity_is_null() -> None:
    found = Neighbors(torch.tensor([[1.0, 1, 1], [1, 2, 3], [1, 2, 4], [1, 3, 4], [2, 3, 4]]))
    estimate = of_mle(intrinsic_dimension(found, 3))
    assert estimate["curve"][0]["mean"] is estimate["curve"][0]["mean_error"] is estimate["mean"]["value"] is None
    assert estimate["harmonic"]["value"] > 0
    assert estimate["curve"][0]["infinite"] == 1
    assert of_two_nn(two_nn(torch.eye(8)))["fit"] is None


def test_the_figure_has_both_curves_and_the_flat_stretch() -> None:
    estimate = intrinsic_dimension(POINTS, range(5, 21))
    axes = curve(estimate, "title").axes[0]
    assert axes.get_title() == "title"
    lines = [line.get_ydata() for line in axes.get_lines()]
    np.testing.assert_allclose(lines[0], estimate.mean)
    np.testing.assert_allclose(lines[1], estimate.harmonic)
    flat = estimate.flattest()
    assert f"flattest: {flat.value:.1f} over k = {flat.first} to {flat.last}" in [
        text.get_text() for text in axes.get_legend().get_texts()
    ]
    assert len(curve(intrinsic_dimension(POINTS, 5), "one k").axes[0].get_lines()) == 2
