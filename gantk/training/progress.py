"""Progress output of training: a bar per stage on a terminal, plain lines elsewhere."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Protocol, TextIO, cast

from tqdm import tqdm

from gantk.run.terms import terms_of

__all__ = ["Bar", "Lines", "Progress", "Silent", "for_stream"]


class Progress(Protocol):
    """Receives progress; all counts are of the current stage. `reading` receives the fraction of decoded images."""

    def reading(self, done: float) -> None: ...

    def start(self, stage: str, steps: int, done: int, images_per_step: int) -> None: ...

    def step(self) -> None: ...

    def report(self, values: Mapping[str, float], rate: float, left: float) -> None: ...

    def say(self, text: str) -> None: ...

    def finish(self) -> None: ...


def figures(values: Mapping[str, float], parts: bool = False) -> str:
    """`discriminator 0.412  generator 1.873 + 0.1·2.05`: each player's terms with their weights.

    Args:
        values: a line of the log.
        parts: whether the parts of each term follow it, as `3.21 (wasserstein 1.4, penalty 0.18)`.
    """
    shown: dict[str, list[str]] = {}
    for term in terms_of(values).values():
        text = f"{term.value:.4g}" if term.weight == 1 else f"{term.weight:.4g}·{term.value:.4g}"
        if parts and term.parts:
            text += f" ({', '.join(f'{name} {value:.4g}' for name, value in term.parts.items())})"
        shown.setdefault(term.player, []).append(text)
    return "  ".join(f"{player} {' + '.join(terms)}" for player, terms in shown.items())


def clock(seconds: float) -> str:
    """`1:02:03` or `02:03`."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes:02d}:{rest:02d}"


class Bar:
    """A progress bar per stage: images done, losses, images per second and time left."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._bar: tqdm[Any] | None = None

    def reading(self, done: float) -> None:
        if self._bar is None:
            self._bar = self._new("reading images", 1.0, bar_format="{desc}: {percentage:3.0f}%|{bar}| {elapsed}")
        self._bar.update(done - self._bar.n)
        if done >= 1:
            self.finish()

    def start(self, stage: str, steps: int, done: int, images_per_step: int) -> None:
        self._images = images_per_step
        total, initial = steps * images_per_step, done * images_per_step
        self._bar = self._new(stage, total, initial=initial, unit=" images", unit_scale=True)

    def _new(self, name: str, total: float, **how: Any) -> tqdm[Any]:
        wide = os.get_terminal_size(self._stream.fileno()).columns > 0  # some terminals do not report their size
        width: dict[str, Any] = {"dynamic_ncols": True} if wide else {"ncols": 80}
        return tqdm(total=total, desc=name, file=self._stream, **width, **how)

    def step(self) -> None:
        if self._bar is not None:
            self._bar.update(self._images)

    def report(self, values: Mapping[str, float], rate: float, left: float) -> None:
        if self._bar is not None:
            self._bar.set_postfix_str(figures(values), refresh=False)

    def say(self, text: str) -> None:
        tqdm.write(text, file=self._stream)

    def finish(self) -> None:
        if self._bar is not None:
            self._bar.close()
            self._bar = None


class Lines:
    """One plain line per report, for logs and pipes."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._reading = False

    def reading(self, done: float) -> None:
        if not self._reading:
            self.say("reading images")
        self._reading = done < 1

    def start(self, stage: str, steps: int, done: int, images_per_step: int) -> None:
        self._stage, self._steps, self._done = stage, steps, done
        images = images_per_step
        length = f"{steps} step{'s' * (steps != 1)} of {images} image{'s' * (images != 1)}"
        self.say(f"{stage}: {length}" + (f", {done} done" if done else ""))

    def step(self) -> None:
        self._done += 1

    def report(self, values: Mapping[str, float], rate: float, left: float) -> None:
        place = f"{self._stage} {self._done}/{self._steps}"
        self.say(f"{place}  {figures(values, parts=True)}  {rate:.0f} images/s  {clock(left)} left")

    def say(self, text: str) -> None:
        print(text, file=self._stream, flush=True)

    def finish(self) -> None:
        return


class Silent(Lines):
    """Shows nothing."""

    def __init__(self) -> None:
        super().__init__(sys.stderr)

    def say(self, text: str) -> None:
        return


class _Lasting:
    """A stream that may be closed while it is written to: what is lost then is only what is shown."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        with suppress(OSError, ValueError):
            self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        with suppress(OSError, ValueError):
            self._stream.flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def for_stream(stream: TextIO | None = None) -> Progress:
    """A bar if the stream is a terminal, else lines; nothing if there is no stream."""
    stream = stream or sys.stderr
    if stream is None or stream.closed:
        return Silent()
    lasting = cast(TextIO, _Lasting(stream))
    return Bar(lasting) if stream.isatty() else Lines(lasting)
