"""The linear L2-SVM, beside scikit-learn's, and the metric by it."""

from __future__ import annotations

import pytest
import torch
from sides import comparison

from gantk.errors import UsageError
from gantk.measures import fit_svm, measure
from gantk_metrics.svm import WEIGHTS, SVMAccuracy


def points_of_three_classes(n: int, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    rng = torch.Generator().manual_seed(seed)
    labels = torch.randint(0, 3, (n,), generator=rng)
    centers = 0.8 * torch.randn(3, 6, generator=torch.Generator().manual_seed(9))
    return 5 + 3 * (centers[labels] + torch.randn(n, 6, generator=rng)), labels


@pytest.mark.parametrize("c", [0.03, 1.0, 30.0])
def test_functions_are_those_of_scikit_learn(c: float) -> None:
    svm = pytest.importorskip("sklearn.svm")
    points, labels = points_of_three_classes(300, 0)
    placed = points.double() - points.double().mean(0)
    placed = placed / placed.square().sum(1).mean().sqrt()
    # Its bias counts as a weight, which a large scale makes negligible.
    theirs = svm.LinearSVC(C=c, dual=False, intercept_scaling=1000, tol=1e-10, max_iter=100_000)
    theirs.fit(placed.numpy(), labels.numpy())
    expected = torch.from_numpy(theirs.decision_function(placed.numpy()))
    torch.testing.assert_close(fit_svm(points, labels, c).scores(points), expected, rtol=2e-3, atol=2e-3)


def test_blocks_make_no_difference(monkeypatch: pytest.MonkeyPatch) -> None:
    points, labels = points_of_three_classes(200, 1)
    points = points.double()
    whole = fit_svm(points, labels)
    monkeypatch.setattr("gantk.measures.svm.BLOCK", 6 * 64)
    torch.testing.assert_close(fit_svm(points, labels).weight, whole.weight, rtol=1e-6, atol=1e-8)


def test_it_ends_in_the_same_functions_wherever_it_starts() -> None:
    points, labels = points_of_three_classes(200, 1)
    there = fit_svm(points, labels, 10.0, start=fit_svm(points, labels, 0.1)).scores(points)
    torch.testing.assert_close(there, fit_svm(points, labels, 10.0).scores(points), rtol=2e-3, atol=2e-3)


def test_separable_classes_are_told_apart() -> None:
    labels = torch.arange(90) % 3
    points = torch.eye(3)[labels] + 0.05 * torch.randn(90, 3, generator=torch.Generator().manual_seed(2))
    assert fit_svm(points, labels, 100.0).accuracy(points, labels) == 1


@pytest.mark.parametrize(
    ("labels", "c", "message"),
    [(torch.zeros(10), 1.0, "two classes"), (torch.zeros(9), 1.0, "labels"), (torch.arange(10) % 2, 0.0, "above 0")],
)
def test_refusals(labels: torch.Tensor, c: float, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        fit_svm(torch.randn(10, 4), labels.long(), c)


def test_metric_knows_held_out_images() -> None:
    torch.manual_seed(0)
    found = measure(SVMAccuracy(), comparison(held_out=90))
    assert found["svm_accuracy"] == 1
    assert found["svm_training_accuracy"] == 1
    assert found["svm_c"] in WEIGHTS
