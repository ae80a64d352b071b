"""Conditions: the class of an image, or a vector that describes it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from gantk import Condition
from gantk.data import read_array
from gantk.errors import DataError, FitError, OptionError, nearest

__all__ = ["ClassCondition", "VectorCondition"]

KEPT = 4096
"""Number of the data's vectors that are kept to draw from, spread evenly over the data set."""


class ClassCondition(Condition):
    """The class of an image, one-hot; classes of generated images are drawn with the data's class frequencies."""

    paper = "Mirza & Osindero 2014, arXiv:1411.1784"
    frequencies: Tensor

    def __init__(self, *, class_count: int, class_names: tuple[str, ...] = ()) -> None:
        if class_count < 1:
            raise FitError("it needs a data set with classes, but this one has none", "leave out --condition")
        super().__init__()
        self.dim = class_count
        self.names = tuple(map(str, class_names)) or tuple(map(str, range(class_count)))
        self.register_buffer("frequencies", torch.full((class_count,), 1 / class_count))

    def seen(self, labels: Tensor) -> None:
        """Keep the frequency of each class in the data."""
        counts = torch.bincount(labels.flatten().cpu(), minlength=self.dim).float()
        self.frequencies.copy_(counts / counts.sum())

    def of(self, labels: Tensor) -> Tensor:
        """`[N, classes]` one-hot rows for labels `[N]`."""
        rows = self.frequencies.new_zeros(*labels.shape, self.dim)
        return rows.scatter_(-1, labels.long().unsqueeze(-1), 1.0)

    def draw(self, n: int, rng: torch.Generator) -> Tensor:
        """`[n, classes]` one-hot rows of drawn classes."""
        frequencies = self.frequencies.to(rng.device)
        return self.of(torch.multinomial(frequencies, n, replacement=True, generator=rng).to(self.frequencies.device))

    def told(self, text: str) -> Tensor:
        """The row of a class given by its name or, if no class has that name, by its index from 0."""
        if text in self.names:
            index = self.names.index(text)
        elif text.isdecimal() and int(text) < self.dim:
            index = int(text)
        else:
            listed = ", ".join(self.names[:20]) + (", …" if self.dim > 20 else "")
            close = said if "Did you mean" in (said := nearest(text, self.names)) else ""
            raise OptionError(f"there is no class '{text}'.{close} Classes: {listed}.")
        return self.of(torch.tensor([index], device=self.frequencies.device))

    def labels(self, conditions: Tensor) -> Tensor:
        """Class indices `[N]` of one-hot rows."""
        return conditions.argmax(dim=1)

    def spread(self, n: int) -> Tensor:
        """`[n, classes]` rows with the classes in order, all equally often."""
        return self.of(torch.arange(n, device=self.frequencies.device) * self.dim // max(n, 1))


class VectorCondition(Condition):
    """A vector that describes an image, such as its attributes or a text embedding.

    Vectors of generated images are drawn from 4,096 of the data's vectors, spread evenly over the data set.
    """

    paper = "Mirza & Osindero 2014, arXiv:1411.1784, section 4.2"
    rows: Tensor
    count: Tensor

    def __init__(self, *, label_dim: int) -> None:
        if label_dim < 1:
            raise FitError(
                "it needs data whose labels are vectors [N, dim], and this data has none",
                "use --condition class, or leave out --condition",
            )
        super().__init__()
        self.dim = label_dim
        self.register_buffer("rows", torch.zeros(KEPT, label_dim))
        self.register_buffer("count", torch.tensor(1))

    def seen(self, labels: Tensor) -> None:
        """Keep the vectors to draw from."""
        kept = min(len(labels), KEPT)
        self.rows[:kept] = labels[torch.arange(kept) * len(labels) // kept].to(self.rows)
        self.count.fill_(kept)

    def of(self, labels: Tensor) -> Tensor:
        """The vectors themselves."""
        return labels.to(self.rows)

    def draw(self, n: int, rng: torch.Generator) -> Tensor:
        """`[n, dim]` vectors of the data, all equally likely."""
        chosen = torch.randint(int(self.count), (n,), generator=rng, device=rng.device)
        return self.rows[chosen.to(self.rows.device)]

    def told(self, text: str) -> Tensor:
        """The row of numbers such as `0,1,0.5`, or that in a `.npy` file."""
        if text.endswith(".npy"):
            return self._read(text)
        try:
            numbers = [float(number) for number in text.split(",")]
        except ValueError:
            numbers = []
        if len(numbers) != self.dim or not all(map(math.isfinite, numbers)):
            raise OptionError(f"expected {self.dim} numbers as the condition, such as 0,1,0.5, not '{text}'.")
        return self._single(numbers)

    def _read(self, path: str) -> Tensor:
        """The vector in a `.npy` file."""
        try:
            found = read_array(Path(path).expanduser())
        except DataError as error:
            raise OptionError(f"condition {error}") from None
        if found.dtype.kind not in "fiub" or found.size != self.dim:
            raise OptionError(f"condition '{path}' holds no vector of {self.dim} numbers.")
        if not np.isfinite(found).all():
            raise OptionError(f"condition '{path}' contains NaN or infinite values.")
        return self._single(found.ravel().tolist())

    def _single(self, numbers: Sequence[float]) -> Tensor:
        """The row `[1, dim]` of finite numbers."""
        greatest = max(numbers, key=abs)
        if abs(greatest) > torch.finfo(torch.float32).max:
            raise OptionError(f"a condition contains {greatest:g}, too large for float32 (at most 3.4e38): scale it.")
        return torch.tensor([numbers], dtype=torch.float32, device=self.rows.device)

    def spread(self, n: int) -> Tensor:
        """`[n, dim]` vectors of the data, in its order."""
        return self.rows[torch.arange(n, device=self.rows.device) * int(self.count) // max(n, 1)]
