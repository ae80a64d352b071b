"""What a classifier makes of generated images."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from gantk import Metric, require
from gantk.errors import FitError
from gantk.measures import Comparison, class_balance, class_score, confident_share

__all__ = ["Accuracy", "Classes", "Confidence", "ScoreOfClasses"]


class ScoreOfClasses(Metric):
    """The Inception Score's formula with the extractor's own classes; greater is better, to the number of classes.

    It is called Inception Score only of the classes of Inception. `class_score` is the mean over random parts of the
    images, `class_score_spread` the standard deviation over them, and `class_score_real` that of the real images.

    Args:
        splits: random parts of the images, at least 1.
    """

    needs = frozenset({"probabilities"})
    paper = "Salimans et al. 2016, arXiv 1606.03498"
    better: ClassVar = {"class_score": "higher"}

    def __init__(self, *, splits: int = 10) -> None:
        super().__init__()
        require(splits >= 1, f"splits must be at least 1, not {splits}.")
        self.splits = splits

    def least(self, comparison: Comparison) -> int:
        """Two images in each part."""
        return 2 * self.splits

    def compute(self, comparison: Comparison) -> Mapping[str, float]:
        found, real = (class_score(s.probabilities, self.splits) for s in (comparison.generated, comparison.real))
        return {"class_score": found.score, "class_score_spread": found.spread, "class_score_real": real.score}


class Confidence(Metric):
    """The share of images that a classifier recognizes: `confident`, and `confident_real` of the real images.

    Args:
        above: the probability that a class needs, at least 0 and less than 1.
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
    """How many classes are generated, and how evenly, as a classifier sees them: shows mode collapse.

    `classes` is the number of those that have at least a tenth of the share that they have among real images, of
    `classes_real`; `commonest` the share of the most frequent one; `class_divergence` how far all shares are from those
    of the real images (Kullback-Leibler, in nats): 0 is best, and a single class of ten has 2.3.
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
            f"{figures['classes']:.0f} of {figures['classes_real']:.0f} classes are generated, and "
            f"{figures['commonest']:.0%} of the images are of one: the generator has collapsed, in part at least."
        )


class Accuracy(Metric):
    """How often a classifier sees the class that a conditional generator was told: `accuracy`, from 0 to 1.

    `accuracy_real` is that of the real images and their labels.
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
                    f"the extractor tells {probabilities.shape[1]} classes apart, and {side.name} has {classes}: "
                    "choose one that was trained on these."
                )
            figures[name] = float((probabilities.argmax(1) == labels).double().mean())
        return figures
