"""A diagram of a model's parts: boxes and arrows with their places, once for wide and once for narrow screens."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from gantk.kinds import KINDS

__all__ = ["Box", "Diagram", "tall", "wide"]

WIDTH, HEIGHT, ACROSS, DOWN = 172, 68, 44, 18
"""Width and height of a box, and the space between two."""

LONGEST = {"name": 19, "said": 26}
"""Characters of a line in a box."""

INPUTS = ("noise", "condition", "data")
JUDGED = ("loss", "addon")


@dataclass(frozen=True)
class Box:
    """A part."""

    kind: str
    name: str
    said: str
    x: float = 0
    y: float = 0

    @property
    def css(self) -> str:
        """What its color depends on."""
        return self.kind if self.kind in KINDS else "other"

    @property
    def short_name(self) -> str:
        return _short(self.name, LONGEST["name"])

    @property
    def short_said(self) -> str:
        return _short(self.said, LONGEST["said"])

    def at(self, x: float, y: float) -> Box:
        return Box(self.kind, self.name, self.said, x, y)


@dataclass(frozen=True)
class Diagram:
    """Boxes and arrows."""

    layout: str
    width: float
    height: float
    boxes: Sequence[Box]
    arrows: Sequence[str]
    """The paths of arrows, as an SVG has them."""
    box_width: float = WIDTH
    box_height: float = HEIGHT


def _short(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"


def _of(boxes: Iterable[Box], kinds: Sequence[str]) -> list[Box]:
    return [box for kind in kinds for box in boxes if box.kind == kind]


def wide(boxes: Sequence[Box]) -> Diagram:
    """From left to right: what goes in, the networks, the losses."""
    columns = [_of(boxes, INPUTS)]
    columns += [[box] for box in _of(boxes, ("generator", "refiner", "discriminator"))]
    columns += [losses] if (losses := _of(boxes, JUDGED)) else []
    placed = [
        [box.at(number * (WIDTH + ACROSS), n * (HEIGHT + DOWN)) for n, box in enumerate(column)]
        for number, column in enumerate(columns)
    ]
    flat = [box for column in placed for box in column]
    arrows = []
    for start, end in _edges(flat):
        x1, y1, x2, y2 = start.x + WIDTH, start.y + HEIGHT / 2, end.x - 2, end.y + HEIGHT / 2
        if y1 == y2:
            path = f"M{x1} {y1}H{x2}"
        elif x2 - x1 > ACROSS:  # below the boxes between them, and into its lower edge
            path = f"M{x1} {y1}H{end.x + WIDTH / 2}V{end.y + HEIGHT + 2}"
        else:
            path = f"M{x1} {y1}H{end.x - ACROSS / 2}V{y2}H{x2}"
        arrows.append(path)
    tallest = max(map(len, columns))
    size = len(columns) * (WIDTH + ACROSS) - ACROSS, tallest * (HEIGHT + DOWN) - DOWN
    return Diagram("wide", *size, flat, arrows)


def tall(boxes: Sequence[Box]) -> Diagram:
    """From top to bottom, two columns: the networks to the left, the condition and the data to the right."""
    right, row = WIDTH + DOWN, HEIGHT + 2 * DOWN
    networks = _of(boxes, ("noise", "generator", "refiner", "discriminator"))
    placed = [box.at(0, n * row) for n, box in enumerate(networks)]
    placed += [box.at(right, n * row) for n, box in enumerate(_of(boxes, ("condition", "data")))]
    below = max(box.y for box in placed) + row
    for number, box in enumerate(_of(boxes, JUDGED)):
        placed.append(box.at(number % 2 * right, below + number // 2 * (HEIGHT + DOWN)))
    arrows = []
    for start, end in _edges(placed):
        x, y, middle = start.x + WIDTH / 2, start.y + HEIGHT, end.y + HEIGHT / 2
        if start.y == end.y:
            path = f"M{start.x} {middle}H{end.x + WIDTH + 2}"
        elif start.kind == "data":
            path = f"M{x} {y}V{middle}H{end.x + WIDTH + 2}"
        elif end.y > below:  # between the columns, past the boxes above
            path = f"M{x} {y}V{below - DOWN}H{right - DOWN / 2}V{middle}H{end.x - 2 if end.x else WIDTH + 2}"
        else:
            path = f"M{x} {y}V{end.y - DOWN}H{end.x + WIDTH / 2}V{end.y - 2}"
        arrows.append(path)
    return Diagram("tall", 2 * WIDTH + DOWN, max(box.y for box in placed) + HEIGHT, placed, arrows)


def _edges(boxes: Sequence[Box]) -> list[tuple[Box, Box]]:
    """What goes from which box into which."""
    by_kind = {box.kind: box for box in boxes}
    chain = [by_kind[kind] for kind in ("generator", "refiner", "discriminator") if kind in by_kind]
    if not chain:
        return []
    found = [(by_kind[kind], chain[0]) for kind in ("noise", "condition") if kind in by_kind]
    found += pairwise(chain)
    if "data" in by_kind:
        found.append((by_kind["data"], by_kind.get("discriminator", chain[0])))
    return found + [(chain[-1], box) for box in boxes if box.kind in JUDGED]
