"""What a reader makes of hostile input is a result or one of gantk's own errors, within a limit of time and memory.

python tests/drills/fuzz.py --inputs 100000 --seed 0            every reader
python tests/drills/fuzz.py zip npz --seconds 600 --save found   some, and keep the inputs that escaped
"""

from __future__ import annotations

import argparse
import os
import random
import re
import resource
import shutil
import signal
import struct
import sys
import tempfile
import time
import traceback
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from unittest.mock import patch

from gantk.errors import GantkError
from gantk.memory import VARIABLE

NUMBERS = [
    *(
        b"-1",
        b"0",
        b"1",
        b"2",
        b"255",
        b"256",
        b"65536",
        b"2147483648",
        b"9223372036854775808",
        b"18446744073709551616",
    ),
    *(b"0.5", b"-0.0", b"1e-9", b"1e30", b"1e308", b"1e400", b"nan", b"inf", b"-inf", b"NaN", b"Infinity", b"9" * 30),
    *(
        b"9" * 4301,
        b"0x" + b"f" * 20,
        b"true",
        b"null",
        b"none",
        b"[]",
        b"{}",
        b'""',
        b"''",
        b"[1, [2, 3]]",
        b'"\\ud800"',
    ),
]
"""What replaces numbers and values in text."""
WIDTHS = [(sign, width) for width in "BHIQ" for sign in "<>"]
EDGES = [
    0,
    1,
    2,
    3,
    4,
    7,
    8,
    127,
    128,
    255,
    256,
    1 << 15,
    1 << 16,
    (1 << 31) - 1,
    1 << 31,
    (1 << 32) - 1,
    1 << 63,
    (1 << 64) - 1,
]
_VALUE = re.compile(rb"-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?|\"[^\"\n]{0,80}\"|'[^'\n]{0,80}'|true|false")
SLOW = 10
"""Seconds of CPU time that an input may take."""
SPARE = 3 << 29
"""Bytes of address space that readers may take in addition."""


class TooSlow(BaseException):
    """An input took too long; no reader catches this."""


@dataclass(frozen=True)
class Reader:
    """A reader of one kind of input.

    Args:
        seeds: valid inputs.
        read: reads one in a folder that is its own.
        tokens: words of the format.
        repair: makes checksums of a changed input right again, so that what is behind them is reached.
        restructure: changes what a text stands for, and not its bytes; raises `ValueError` or `TypeError` if it cannot.
    """

    seeds: Sequence[bytes]
    read: Callable[[bytes, Path], object]
    tokens: Sequence[bytes] = ()
    repair: Callable[[bytes], bytes] = bytes
    restructure: Callable[[random.Random, bytes], bytes] | None = None


@dataclass
class Outcome:
    """What came of some inputs."""

    inputs: int = 0
    accepted: int = 0
    refused: int = 0
    seconds: float = 0.0
    escapes: dict[str, tuple[int, bytes, str]] = field(default_factory=dict)
    """Cause → number of inputs, the first of them, and its traceback."""

    @property
    def escaped(self) -> int:
        return sum(count for count, _, _ in self.escapes.values())


def changed(rng: random.Random, seeds: Sequence[bytes], tokens: Sequence[bytes]) -> bytes:
    """A seed with one to six changes: bits, bytes, integers, pieces, words, values."""
    data = bytearray(rng.choice(seeds))
    for _ in range(min(6, 1 + int(rng.expovariate(0.8)))):
        rng.choice(CHANGES)(rng, data, seeds, tokens)
    return bytes(data)


Change = Callable[[random.Random, bytearray, Sequence[bytes], Sequence[bytes]], None]


def _place(rng: random.Random, data: bytearray) -> int:
    """Anywhere, but near the beginning or the end more often, where headers are."""
    size = len(data)
    return min(
        size, rng.choice((rng.randint(0, size), rng.randint(0, min(size, 64)), size - rng.randint(0, min(size, 64))))
    )


def _flip(rng: random.Random, data: bytearray, seeds: Sequence[bytes], tokens: Sequence[bytes]) -> None:
    if data:
        data[min(_place(rng, data), len(data) - 1)] ^= 1 << rng.randrange(8)


def _byte(rng: random.Random, data: bytearray, seeds: Sequence[bytes], tokens: Sequence[bytes]) -> None:
    if data:
        data[min(_place(rng, data), len(data) - 1)] = rng.choice(
            (0, 255, 10, 32, 34, 91, 93, 123, 125, rng.randrange(256))
        )


def _integer(rng: random.Random, data: bytearray, seeds: Sequence[bytes], tokens: Sequence[bytes]) -> None:
    sign, width = rng.choice(WIDTHS)
    at, size = _place(rng, data), struct.calcsize(width)
    data[at : at + size] = struct.pack(sign + width, rng.choice(EDGES) % (1 << 8 * size))


def _remove(rng: random.Random, data: bytearray, seeds: Sequence[bytes], tokens: Sequence[bytes]) -> None:
    at = _place(rng, data)
    del data[at : at + int(rng.expovariate(0.05)) + 1]


def _truncate(rng: random.Random, data: bytearray, seeds: Sequence[bytes], tokens: Sequence[bytes]) -> None:
    del data[_place(rng, data) :]


def _repeat(rng: random.Random, data: bytearray, seeds: Sequence[bytes], tokens: Sequence[bytes]) -> None:
    at = _place(rng, data)
    piece = bytes(data[at : at + rng.choice((1, 4, 20, 100))])
    data[at:at] = piece * rng.choice((1, 2, 10, 3000 if len(piece) < 4 else 3))


def _splice(rng: random.Random, data: bytearray, seeds: Sequence[bytes], tokens: Sequence[bytes]) -> None:
    other = rng.choice(seeds)
    start = rng.randint(0, len(other))
    data[_place(rng, data) :] = other[start:] if rng.random() < 0.5 else other[start : start + 50]


def _word(rng: random.Random, data: bytearray, seeds: Sequence[bytes], tokens: Sequence[bytes]) -> None:
    at, word = _place(rng, data), rng.choice(tokens or NUMBERS)
    data[at : at + rng.choice((0, 0, len(word)))] = word


def _value(rng: random.Random, data: bytearray, seeds: Sequence[bytes], tokens: Sequence[bytes]) -> None:
    found = list(_VALUE.finditer(bytes(data[:20_000])))
    if found:
        value = rng.choice(found)
        data[value.start() : value.end()] = rng.choice(rng.choice((NUMBERS, tokens or NUMBERS)))


CHANGES: Sequence[Change] = (_flip, _byte, _integer, _remove, _truncate, _repeat, _splice, _word, _value, _value)


def drill(reader: Reader, inputs: int, seed: int, folder: Path, seconds: float = float("inf")) -> Outcome:
    """Give a reader changed seeds, and count what it makes of them."""
    rng, outcome, began = random.Random(seed), Outcome(), time.process_time()
    while outcome.inputs < inputs and (outcome.inputs % 64 or time.process_time() - began < seconds):
        data = _input(rng, reader) if outcome.inputs >= len(reader.seeds) else reader.seeds[outcome.inputs]
        if rng.random() < 0.7:
            data = reader.repair(data)
        outcome.inputs += 1
        try:
            with _limited_time():
                reader.read(data, folder)
            outcome.accepted += 1
        except GantkError:
            outcome.refused += 1
        except (Exception, TooSlow) as error:  # noqa: BLE001 - these are what is looked for
            cause = _cause(error)
            count, first, text = outcome.escapes.get(cause, (0, data, "".join(traceback.format_exception(error))))
            outcome.escapes[cause] = count + 1, first, text
    outcome.seconds = time.process_time() - began
    return outcome


def _input(rng: random.Random, reader: Reader) -> bytes:
    if reader.restructure and rng.random() < 0.5:
        try:
            return reader.restructure(rng, rng.choice(reader.seeds))
        except (ValueError, TypeError, AttributeError):  # a seed that is no text, or what no text can say
            pass
    return changed(rng, reader.seeds, reader.tokens)


def _cause(error: BaseException) -> str:
    """An error's type and the last line of gantk's own code that it passed."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if "/gantk" in frame.filename.replace("\\", "/")] or frames
    return f"{type(error).__name__} at {Path(own[-1].filename).name}:{own[-1].lineno}"


@contextmanager
def _limited_time() -> Iterator[None]:
    signal.setitimer(signal.ITIMER_VIRTUAL, SLOW)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)


def _too_slow(number: int, frame: FrameType | None) -> None:
    raise TooSlow


@contextmanager
def limits() -> Iterator[None]:
    """Within this context, time and memory of readers are limited, and warnings are not shown."""
    before, handler = resource.getrlimit(resource.RLIMIT_AS), signal.signal(signal.SIGVTALRM, _too_slow)
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + SPARE, before[1]))
    try:
        with warnings.catch_warnings(), patch.dict(os.environ, {VARIABLE: f"{SPARE // 8}B"}):
            warnings.simplefilter("ignore")
            yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)
        signal.signal(signal.SIGVTALRM, handler)


def main() -> None:
    from drills.readers import READERS

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("readers", nargs="*", metavar="READER", help=", ".join(READERS))
    parser.add_argument("--inputs", type=int, default=10_000, help="per reader")
    parser.add_argument("--seconds", type=float, default=float("inf"), help="CPU time per reader, at most")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--save", type=Path, help="a folder for the first input of each cause")
    args = parser.parse_args()
    total: list[Outcome] = []
    memory = "/dev/shm" if Path("/dev/shm").is_dir() else None
    with tempfile.TemporaryDirectory(dir=memory) as scratch:
        for name in args.readers or READERS:
            folder = Path(scratch, name)
            folder.mkdir()
            reader: Reader = READERS[name]()
            with limits():
                outcome = drill(reader, args.inputs, args.seed, folder, args.seconds)
            total.append(outcome)
            shutil.rmtree(folder)
            said = f"{outcome.inputs} inputs, {outcome.accepted} accepted, {outcome.refused} refused"
            print(f"{name}: {said}, {outcome.escaped} escaped, {outcome.seconds:.0f} s", flush=True)
            for number, (cause, (count, first, text)) in enumerate(outcome.escapes.items()):
                print(f"  {count} x {cause}\n    {text.strip().splitlines()[-1]:.200}", flush=True)
                if args.save:
                    args.save.mkdir(exist_ok=True)
                    (args.save / f"{name}-{number}").write_bytes(first)
                    (args.save / f"{name}-{number}.txt").write_text(text, encoding="utf-8", errors="backslashreplace")
    print(f"{sum(each.inputs for each in total)} inputs, {sum(each.escaped for each in total)} escaped")
    raise SystemExit(any(each.escapes for each in total))


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[1]))
    main()
