"""What the gallery trains: each entry is a build, in the words of the command line."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Entry:
    """One training.

    Args:
        title: what stands above its pictures.
        build: the arguments of `gantk build`, with `{data}` where the folder of the data sets stands.
        refined: whether samples are also drawn without the refiner.
        note: what a reader should know when looking at it.
    """

    title: str
    build: tuple[str, ...]
    refined: bool = False
    note: str = ""

    def words(self, data: str) -> list[str]:
        return [word.replace("{data}", data) for word in self.build]


ENTRIES: dict[str, Entry] = {}
