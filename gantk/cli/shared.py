"""What several commands take or say in the same way."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from gantk.errors import UsageError

__all__ = ["PLACE", "SEED", "counted", "naming"]

SEED = click.IntRange(min=0, max=2**63 - 1)


class _Place(click.ParamType[Path]):
    """A path that says something: an unset variable in a script is no place to write to."""

    name = "path"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path:
        if not str(value):
            self.fail("it is empty; name a path.", param, ctx)
        return Path(value)


PLACE = _Place()


def counted(count: int, thing: str) -> str:
    """`1 image`, `2 images`."""
    return f"{count} {thing}" if count == 1 else f"{count} {thing}s"


@contextmanager
def naming(file: object) -> Iterator[None]:
    """What a file asks for and cannot be had is an error that names the file."""
    try:
        yield
    except UsageError as error:
        raise type(error)(f"{file}: {error}") from error
