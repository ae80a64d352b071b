"""A small digit classifier, whose features and confidence evaluate generated digits."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from gantk.construct import construct
from gantk.data import to_float


class Classifier(nn.Module):
    """Two convolutions and a layer of 64 features; 28×28 gray images in [-1, 1]."""

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(1, 32, 5, stride=2, padding=2),
            nn.ReLU(),
            nn.Conv2d(32, 64, 5, stride=2, padding=2),
            nn.ReLU(),
            nn.Flatten(),
            nn.Dropout(0.3),
            nn.Linear(64 * 49, 64),
            nn.ReLU(),
        )
        self.head = nn.Linear(64, 10)

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.head(self.features(images))
        return logits


def real_digits() -> tuple[Tensor, Tensor]:
    """The embedded digits, in [-1, 1], and their labels."""
    source = construct("data", "digits")
    indices = np.arange(len(source))
    labels = source.labels(indices)
    assert labels is not None
    return to_float(source.images(indices)), labels


def train_classifier(
    epochs: int = 6, seed: int = 0, digits: tuple[Tensor, Tensor] | None = None
) -> tuple[Classifier, float]:
    """A classifier of digits, by default the embedded ones, and its accuracy on a thousand that it has not seen."""
    images, labels = digits or real_digits()
    torch.manual_seed(seed)
    order = torch.randperm(len(images))
    seen, held_out = order[1000:], order[:1000]
    classifier = Classifier()
    optimizer = torch.optim.Adam(classifier.parameters(), 1e-3)
    for _ in range(epochs):
        for batch in seen[torch.randperm(len(seen))].split(100):
            loss = nn.functional.cross_entropy(classifier(images[batch]), labels[batch])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    classifier.eval()
    with torch.no_grad():
        accuracy = (classifier(images[held_out]).argmax(1) == labels[held_out]).float().mean().item()
    return classifier, accuracy


@torch.no_grad()
def judge(classifier: Classifier, images: Tensor, real: Tensor) -> dict[str, float]:
    """How digits compare with real ones.

    Returns:
        `frechet`: Fréchet distance of the classifier's features (lower is closer; Heusel et al. 2017, but with these
        features, so not an FID); `confident`: share of images that it gives a class more than 0.9; `classes`: entropy
        of the predicted classes in bits (log2 10 = 3.32 where all are drawn equally).
    """
    fake_features, real_features = classifier.features(images).double(), classifier.features(real).double()
    probabilities = classifier(images).softmax(1)
    share = probabilities.mean(0)
    return {
        "frechet": _frechet(fake_features, real_features),
        "confident": (probabilities.max(1).values > 0.9).float().mean().item(),
        "classes": float(-(share * share.clamp_min(1e-12).log2()).sum()),
    }


PRESENT = 0.01
"""The share of the images from which a digit counts as one that is generated."""


@torch.no_grad()
def judge_digits(classifier: Classifier, images: Tensor, real: tuple[Tensor, Tensor]) -> dict[str, Any]:
    """How generated digits compare with real ones and their labels.

    Returns:
        `confident`: share of images that the classifier gives a class more than 0.9; `commonest`: share of the class
        that it finds most often; `digits`: how many classes have at least a hundredth of the images; `rdd`: the mean
        over those of a class's diversity, E ‖x - E x‖², relative to that of the real digits (Zhong et al. 2018,
        Definition 3); `shares`: every class's.
    """
    probabilities = torch.cat([classifier(part) for part in images.split(1000)]).softmax(1)
    confidence, found = probabilities.max(1)
    shares = torch.bincount(found, minlength=10) / len(found)
    present = [digit for digit in range(10) if shares[digit] >= PRESENT]
    relative = [diversity(images[found == digit]) / diversity(real[0][real[1] == digit]) for digit in present]
    return {
        "confident": round((confidence > 0.9).float().mean().item(), 4),
        "commonest": round(shares.max().item(), 4),
        "digits": len(present),
        "rdd": round(sum(relative) / len(relative), 4),
        "shares": [round(share, 4) for share in shares.tolist()],
    }


def diversity(images: Tensor) -> float:
    """E ‖x - E x‖²: the mean squared distance of images from their mean."""
    return (images - images.mean(0)).flatten(1).square().sum(1).mean().item()


def _frechet(one: Tensor, other: Tensor) -> float:
    difference = (one.mean(0) - other.mean(0)).square().sum()
    a, b = torch.cov(one.T), torch.cov(other.T)
    cross = torch.linalg.eigvals(a @ b).real.clamp_min(0).sqrt().sum()
    return float(difference + a.trace() + b.trace() - 2 * cross)
