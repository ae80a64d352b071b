"""Metrics by a classifier."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from gantk import Metric, require
from gantk.errors import FitError
from gantk.measures import Comparison, class_balance, class_score, confident_share

__all__ = ["Accuracy", "Classes", "Confidence", "ScoreOfClasses"]


class ScoreOfClasses(Metric):
    """The Inception Score with the extractor's classes; higher is better, up to the number of classes.

    It is called Inception Score only with the classes of Inception. `class_score` is the mean over random parts of the
    images, `class_score_spread` the standard deviation over them, and `class_score_real` the score of the real images.

    Args:
        splits: number of random parts of the images, at least 1.
    """

    needs = frozenset({"probabilities"})
    paper = "Salimans et al. 2016, arXiv 1606.03498"
    better: ClassVar = {"class_score": "higher"}

    def __init__(self, *, splits: int = 10) -> None:
        super().__init__()
        require(splits >= 1, f"splits must be at least 1, not {splits}.")
        self.splits = splits

    def least(self, comparison: Comparison) -> int:
        """At least two images in each part."""
        return 2 * self.splits

    def compute(self, comparison: Comparison) -> Mapping[str, float]:
        found, real = (class_score(s.probabilities, self.splits) for s in (comparison.generated, comparison.real))
        return {"class_score": found.score, "class_score_spread": found.spread, "class_score_real": real.score}


class Confidence(Metric):
    """The share of images that a classifier assigns to a class with high probability; higher is better.

    `confident` is the share of the generated images, and `confident_real` that of the real images.

    Args:
        above: the probability that the class must exceed, at least 0 and less than 1.
    """

    needs = frozenset({"probabilities"})
    paper = "Zhong et al. 2018, arXiv 1807.03923, Table V"
    better: ClassVar = {"confident": "higher"}

    def __init__(self, *, above: float = 0.9) -> None:
        super().__init__()
        require(0 <= above < 1, f"above must be at least 0 and less than 1, not {above}.")
        self.above = above

    def compute(self, comparison: Comparison) -> Mapping[str, float]:
        found, real = (confident_share(s.probabilities, self.above) for s in (comparison.generated, comparison.real))
        return {"confident": found, "confident_real": real}


class Classes(Metric):
    """The number of classes among generated images and their balance, by a classifier; shows mode collapse.

    `classes` is the number of classes with at least a tenth of their share among real images, out of `classes_real`;
    `commonest` is the share of the most frequent class; `class_divergence` is the Kullback-Leibler divergence from the
    shares of the real images, in nats: 0 is best, and one class out of ten has 2.3.
    """

    needs = frozenset({"probabilities"})
    better: ClassVar = {"classes": "higher", "class_divergence": "lower"}
    collapses: ClassVar = {"classes": 1.0}

    def compute(self, comparison: Comparison) -> Mapping[str, float]:
        generated, real = (side.probabilities.argmax(1) for side in (comparison.generated, comparison.real))
        found = class_balance(generated, real, comparison.real.probabilities.shape[1])
        return {
            "classes": found.present,
            "classes_real": found.present_real,
            "commonest": found.commonest,
            "class_divergence": found.divergence,
        }

    def remark(self, figures: Mapping[str, float]) -> str:
        """Whether classes are missing."""
        if figures["classes"] >= figures["classes_real"]:
            return ""
        return (
            f"only {figures['classes']:.0f} of {figures['classes_real']:.0f} classes are generated, and "
            f"{figures['commonest']:.0%} of the images are of one class: the generator has at least partly collapsed."
        )


class Accuracy(Metric):
    """The share of conditional samples that a classifier assigns to the requested class; higher is better.

    `accuracy` is the share of the generated images, from 0 to 1, and `accuracy_real` that of the real images.
    """

    needs = frozenset({"probabilities", "labels", "generated labels"})
    paper = "Zhong et al. 2018, arXiv 1807.03923, Table VII"
    better: ClassVar = {"accuracy": "higher"}

    def compute(self, comparison: Comparison) -> Mapping[str, float]:
        figures = {}
        for name, side in (("accuracy", comparison.generated), ("accuracy_real", comparison.real)):
            classes = len(side.source.classes or ())
            labels, probabilities = side.labels, side.probabilities
            assert labels is not None
            if probabilities.shape[1] != classes:
                raise FitError(
                    f"the extractor has {probabilities.shape[1]} classes, but {side.name} has {classes}: choose an "
                    "extractor that was trained on these classes."
                )
            figures[name] = float((probabilities.argmax(1) == labels).double().mean())
        return figures
