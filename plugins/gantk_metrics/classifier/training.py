"""How the classifier is trained: stochastic gradient descent for a few epochs, images shifted by a pixel or two."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, pad

from gantk.data import to_float
from gantk_metrics.classifier.network import ClassifierNetwork

__all__ = ["Examples", "Settings", "error_rate", "trained"]

BATCH = 256
"""Images of a step, fewer where an epoch would have fewer than 32 steps."""
LEAST = 16
"""Fewest images of a step: batch normalization is poor below."""
RATE = 1.5 / 1024
"""Highest learning rate, per image of a batch."""
RISE = 0.25
"""Share of the steps in which the learning rate rises, from a fifth; it then falls to a twentieth."""
MOMENTUM = 0.85
DECAY = 1.3e-3
WHITENED = 4096
"""Images by which the first layer is set."""


@dataclass(frozen=True)
class Examples:
    """Images uint8 `[N, C, H, W]` and their classes int64 `[N]`."""

    images: Tensor
    labels: Tensor

    def __len__(self) -> int:
        return len(self.images)


@dataclass(frozen=True)
class Settings:
    """How a classifier is trained.

    Args:
        epochs: passes over the images.
        width: channels of the network's first block.
        flip: whether half of the images are mirrored.
        offsets: factor of the learning rate of offsets (biases), and of what their weight decay is divided by.
        half: whether it may compute in bfloat16, where the processor has matrix instructions for it.
        seed: what weights, order and shifts follow from.
    """

    epochs: int
    width: int
    flip: bool
    offsets: float
    half: bool
    seed: int


def trained(
    examples: Examples, class_count: int, settings: Settings, progress: Callable[[float], object]
) -> ClassifierNetwork:
    """A network that was trained on examples, on a GPU where there is one; it is returned on the CPU.

    Args:
        examples: images with their classes; each side has at least 4 pixels.
        class_count: number of classes.
        settings: how.
        progress: receives the share of the steps that is done, above 0 to 1.
    """
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    half = settings.half and device.type == "cpu" and half_is_fast()
    rng = torch.Generator().manual_seed(settings.seed)
    _, channels, height, width = examples.images.shape
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(settings.seed)
        network = ClassifierNetwork((channels, height, width), class_count, settings.width)
    some = torch.randperm(len(examples), generator=rng)[:WHITENED]
    network.whiten_patches(to_float(examples.images[some]))
    network = network.to(device).to(memory_format=torch.channels_last).train()  # type: ignore[call-overload]
    size = min(BATCH, max(LEAST, len(examples) // 32), len(examples))
    count = len(examples) // size
    optimizer, schedule = _optimizer(network, size, settings.epochs * count, settings.offsets)
    with torch.inference_mode(False), torch.enable_grad():
        for epoch in range(settings.epochs):
            order = torch.randperm(len(examples), generator=rng)
            for step in range(count):
                chosen = order[step * size : (step + 1) * size]
                images = _augmented(examples.images[chosen], settings.flip, rng).to(device)
                labels = examples.labels[chosen].to(device)
                with torch.autocast(device.type, torch.bfloat16, enabled=half):
                    logits = network(images)
                loss = cross_entropy(logits.float(), labels)
                optimizer.zero_grad()
                loss.backward()  # type: ignore[no-untyped-call]
                optimizer.step()
                schedule.step()
                progress((epoch * count + step + 1) / (settings.epochs * count))
    return network.to("cpu").to(memory_format=torch.contiguous_format).eval()  # type: ignore[no-any-return]


@torch.no_grad()
def error_rate(network: ClassifierNetwork, examples: Examples, mirrored: bool) -> float:
    """The share of examples that a network gives another class than theirs, by features that are `mirrored` or not."""
    wrong = 0
    for images, labels in zip(torch.split(examples.images, BATCH), torch.split(examples.labels, BATCH), strict=True):
        found = network.logits(network.features(to_float(images), mirrored)).argmax(1)
        wrong += int((found != labels).sum())
    return wrong / len(examples)


def half_is_fast() -> bool:
    """Whether the processor has matrix instructions for bfloat16."""
    return bool(torch.cpu.get_capabilities().get("amx_bf16", False))


def _optimizer(
    network: ClassifierNetwork, batch: int, steps: int, factor_of_offsets: float
) -> tuple[torch.optim.SGD, torch.optim.lr_scheduler.LambdaLR]:
    moved = [p for p in network.parameters() if p.requires_grad]
    weights, offsets = [p for p in moved if p.ndim > 1], [p for p in moved if p.ndim == 1]
    rate = RATE * batch
    groups = [
        {"params": weights, "lr": rate, "weight_decay": DECAY},
        {"params": offsets, "lr": rate * factor_of_offsets, "weight_decay": DECAY / factor_of_offsets},
    ]
    optimizer = torch.optim.SGD(groups, momentum=MOMENTUM, nesterov=True)
    rise = RISE * steps

    def factor(step: int) -> float:
        return 0.2 + 0.8 * step / rise if step < rise else 1 - 0.95 * (step - rise) / max(1.0, steps - rise)

    return optimizer, torch.optim.lr_scheduler.LambdaLR(optimizer, factor)


def _augmented(images: Tensor, flip: bool, rng: torch.Generator) -> Tensor:
    """uint8 images as floats in [-1, 1], each shifted by up to a fourteenth of its side, its edge reflected."""
    n, channels, height, width = images.shape
    reach = max(1, min(height, width) // 14)
    padded = pad(to_float(images), (reach,) * 4, mode="reflect")
    rows = torch.randint(2 * reach + 1, (n, 1), generator=rng) + torch.arange(height)
    columns = torch.randint(2 * reach + 1, (n, 1), generator=rng) + torch.arange(width)
    if flip:
        mirrored = torch.rand(n, 1, generator=rng) < 0.5
        columns = torch.where(mirrored, columns.flip(1), columns)
    each, every = torch.arange(n)[:, None, None, None], torch.arange(channels)[:, None, None]
    return padded[each, every, rows[:, None, :, None], columns[:, None, None, :]]
