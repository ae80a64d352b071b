"""Options and messages that several commands share."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gantk.errors import DataError, UsageError
from gantk.files import place
from gantk.printable import one_line

if TYPE_CHECKING:
    from gantk.data import DataSource
    from gantk.model import Model
    from gantk.run.folder import Run

__all__ = [
    "DEVICES",
    "PLACE",
    "SEED",
    "STEP",
    "check_shape",
    "counted",
    "naming",
    "naming_data",
    "opened",
    "progress_bar",
    "progress_shown",
    "reserve",
    "say",
]

SEED = click.IntRange(min=0, max=2**63 - 1)


class _Place(click.ParamType[Path]):
    """A path that is not empty; an unset variable in a script gives an empty one."""

    name = "path"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path:
        if not str(value):
            self.fail("the path is empty; give a path.", param, ctx)
        return place(value)


PLACE = _Place()


STEP = click.option(
    "--step", type=click.IntRange(min=0), metavar="N", help="Use the checkpoint of step N; the newest by default."
)


def _spread(ctx: click.Context, param: click.Parameter, number: int | None) -> None:
    if number is not None:
        from gantk.spread import on_devices

        ctx.with_resource(on_devices(number))


DEVICES = click.option(
    "--devices",
    type=click.IntRange(min=1),
    metavar="N",
    callback=_spread,
    expose_value=False,
    help="Divide the work among N accelerators of this machine, such as GPUs.",
)


def opened(path: Path, step: int | None) -> tuple[Run, Model]:
    """Open a run by its folder or a checkpoint's folder, and load its model as of a step."""
    from gantk.building.load import load
    from gantk.run.located import located

    run, step = located(path, step)
    if run.steps():
        run.at(step)  # its error names the run
    with naming(run.model_toml):
        return run, load(run, step=step)


def check_shape(name: str, source: DataSource, model: Model) -> None:
    """Refuse images of another shape than the model's.

    Raises:
        DataError: they are; the message says how to name such images.
    """
    from gantk.measures.reconstruction import COLORS

    if source.image_shape == model.image_shape:
        return
    channels, height, width = model.image_shape
    color = f",color={COLORS[channels]}" if channels in COLORS else ""
    raise DataError(
        f"{name}: its images are {list(source.image_shape)}, but the model's are {[channels, height, width]} "
        f"(channels, height, width): use --data with images of that shape; a folder converts its images with "
        f"size=[{height},{width}]{color}."
    )


def reserve(output: Path, suffixes: tuple[str, ...], count: int = 0) -> None:
    """Check an output path before any work is done, and claim it for this command until the command ends.

    Args:
        output: where the command writes.
        suffixes: supported suffixes; `""` is a folder.
        count: number of single images to write into the folder.

    Raises:
        UsageError: something else is there; see `gantk.report.outputs.writable`.
        WorkError: nothing can be written there, or another process is writing it.
    """
    from gantk.report.outputs import claimed, writable

    folder = writable(output, suffixes, count)
    click.get_current_context().with_resource(claimed(output, folder))


def counted(count: int, thing: str) -> str:
    """`1 image`, `2 images`."""
    return f"{count} {thing}" if count == 1 else f"{count} {thing}s"


def say(text: str) -> None:
    """Tell what happens, on one line of standard error."""
    click.echo(f"gantk: {one_line(text)}", err=True)


@contextmanager
def naming(file: object) -> Iterator[None]:
    """Prefix usage errors with the file that caused them."""
    try:
        yield
    except UsageError as error:
        raise type(error)(f"{file}: {error}") from error


@contextmanager
def naming_data(mend: str) -> Iterator[None]:
    """Add to a data error how to give the data's new location, in case it has moved."""
    try:
        yield
    except DataError as error:
        raise DataError(f"{str(error).rstrip('.')}; if the data has moved: {mend}.") from error


@contextmanager
def progress_bar(label: str) -> Iterator[Callable[[float], object]]:
    """Yield a function that receives the fraction done, 0 to 1, and draws a bar on a terminal."""
    from tqdm import tqdm

    shape = "{desc}: {percentage:3.0f}%|{bar}| {elapsed}<{remaining}"
    shown = sys.stderr.isatty()
    wide = shown and os.get_terminal_size(sys.stderr.fileno()).columns > 0  # some terminals report 0
    width: dict[str, Any] = {"dynamic_ncols": True} if wide else {"ncols": 80}
    with tqdm(total=1.0, desc=label, disable=not shown, file=sys.stderr, leave=False, bar_format=shape, **width) as bar:
        yield lambda done: bar.update(done - bar.n)


@contextmanager
def progress_shown() -> Iterator[Callable[[str, float], object]]:
    """Yield a function that receives what is being done and the fraction done, and draws one bar at a time."""
    with ExitStack() as stack:
        current: dict[str, Any] = {"doing": None, "bar": None}

        def tell(doing: str, share: float) -> None:
            if doing != current["doing"]:
                stack.close()
                current.update(doing=doing, bar=stack.enter_context(progress_bar(doing)))
            current["bar"](share)

        yield tell
