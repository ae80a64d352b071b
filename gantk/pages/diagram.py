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
class Arrow:
    """From one part to another, as the path of an SVG; with a word beside it."""

    path: str
    word: str = ""
    x: float = 0
    y: float = 0


@dataclass(frozen=True)
class Diagram:
    """Boxes and arrows."""

    layout: str
    width: float
    height: float
    boxes: Sequence[Box]
    arrows: Sequence[Arrow]
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
    tallest = max(map(len, columns))
    total = tallest * HEIGHT + (tallest - 1) * DOWN
    placed: list[list[Box]] = []
    for number, column in enumerate(columns):
        top = 0.0 if 0 < number < len(columns) - bool(losses) else (total - _tall(len(column))) / 2
        placed.append([box.at(number * (WIDTH + ACROSS), top + n * (HEIGHT + DOWN)) for n, box in enumerate(column)])
    by_kind = {box.kind: box for column in placed for box in column}
    arrows = []
    for start, end, word in _edges(by_kind, [box for column in placed for box in column]):
        x1, y1, x2, y2 = start.x + WIDTH, start.y + HEIGHT / 2, end.x, end.y + HEIGHT / 2
        turn = x2 - ACROSS / 2
        if y1 == y2:
            path = f"M{x1} {y1}H{x2 - 2}"
        elif x2 - x1 > ACROSS:  # below the boxes between them, and into its lower edge
            path = f"M{x1} {y1}H{end.x + WIDTH / 2}V{end.y + HEIGHT + 2}"
        else:
            path = f"M{x1} {y1}H{turn}V{y2}H{x2 - 2}"
        arrows.append(Arrow(path, word, x1 + 6, y1 - 6))
    width = len(columns) * WIDTH + (len(columns) - 1) * ACROSS
    return Diagram("wide", width, total, [box for column in placed for box in column], arrows)


def tall(boxes: Sequence[Box]) -> Diagram:
    """From top to bottom, two columns: the generated images to the left, the data to the right."""
    left = _of(boxes, ("noise", "condition", "generator", "refiner"))
    placed = [box.at(0, n * (HEIGHT + 2 * DOWN)) for n, box in enumerate(left)]
    right = WIDTH + DOWN
    placed += [box.at(right, 0) for box in _of(boxes, ("data",))]
    below = len(left) * (HEIGHT + 2 * DOWN)
    judges = _of(boxes, ("discriminator",))
    placed += [box.at(0, below) for box in judges]
    below += len(judges) * (HEIGHT + 2 * DOWN)
    for number, box in enumerate(_of(boxes, JUDGED)):
        placed.append(box.at(number % 2 * right, below + number // 2 * (HEIGHT + DOWN)))
    by_kind = {box.kind: box for box in placed}
    arrows = []
    for start, end, word in _edges(by_kind, placed):
        x1, y1 = start.x + WIDTH / 2, start.y + HEIGHT
        if start.x == end.x:
            path = f"M{x1} {y1}V{end.y - 2}"
        elif start.kind == "data" and end.kind not in JUDGED:
            path = f"M{x1} {y1}V{end.y + HEIGHT / 2}H{end.x + WIDTH + 2}"
        else:
            path = f"M{x1} {y1}V{end.y - DOWN}H{end.x + WIDTH / 2}V{end.y - 2}"
        arrows.append(Arrow(path, word, x1 + 6, y1 + 14))
    height = max(box.y for box in placed) + HEIGHT
    return Diagram("tall", 2 * WIDTH + DOWN, height, placed, arrows)


def _tall(count: int) -> float:
    return count * HEIGHT + (count - 1) * DOWN


def _edges(by_kind: dict[str, Box], boxes: Sequence[Box]) -> list[tuple[Box, Box, str]]:
    """What goes from which box into which."""
    found: list[tuple[Box, Box, str]] = []
    chain = [by_kind[kind] for kind in ("generator", "refiner", "discriminator") if kind in by_kind]
    if chain:
        found += [(by_kind[kind], chain[0], "") for kind in ("noise", "condition") if kind in by_kind]
        found += [(start, end, "") for start, end in pairwise(chain)]
        if "data" in by_kind:
            judge = by_kind.get("discriminator", by_kind.get("generator", chain[-1]))
            found.append((by_kind["data"], judge, ""))
        found += [(chain[-1], box, "") for box in boxes if box.kind in JUDGED]
    return found
