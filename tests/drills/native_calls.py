"""Calls the native operators and functions with random arguments, right and wrong: each answers or raises an exception.

    python tests/drills/native_calls.py --calls 20000 --seed 0

A crash ends the process. What only a sanitizer sees is seen under `.ci/sanitize`.
"""

from __future__ import annotations

import argparse
import random
import sys
import warnings
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

sys.path[:0] = [str(Path(__file__).parents[1] / "ops"), str(Path(__file__).parents[1])]

from test_native_arguments import functions, operators, wrong  # noqa: E402

from gantk.errors import GantkError  # noqa: E402
from gantk.ops import native  # noqa: E402

EXPECTED = (GantkError, RuntimeError, TypeError, ValueError, NotImplementedError, MemoryError)
TYPES = (torch.float32, torch.float64, torch.bfloat16, torch.float16, torch.uint8)


def changed(x: Any, rng: random.Random) -> Any:
    """Another value: of another size, type or layout, or one that is wrong for certain."""
    if isinstance(x, Tensor) and rng.random() < 0.6:
        shape = [rng.choice([0, 1, 2, 3, 5, 40, 300, size]) for size in x.shape]
        other = (torch.rand(shape) * 255).to(rng.choice([x.dtype, *TYPES]))
        if other.is_floating_point() and other.numel() and rng.random() < 0.2:
            other.view(-1)[0] = rng.choice([float("nan"), float("inf"), 1e38])
        transposed = other.mT.contiguous().mT if other.ndim > 1 else other
        return rng.choice([other, transposed, other[..., ::2] if other.ndim else other])
    # Without memory, torch itself crashes when it prints the tensor for an error of another argument.
    values = [value for what, value in wrong(x) if what != "no memory"]
    return rng.choice(values) if values else rng.choice([None, 1, x])


def alike(arguments: tuple[Any, ...], rng: random.Random) -> tuple[Any, ...]:
    """The same call with tensors of another size that fit each other, as far as they were of one size."""
    sizes = {size: rng.choice([1, 2, 3, 7, 65, 300]) for x in arguments if isinstance(x, Tensor) for size in x.shape}
    dtypes = {x.dtype: rng.choice([x.dtype, *TYPES]) for x in arguments if isinstance(x, Tensor)}

    def other(x: Any) -> Any:
        if not isinstance(x, Tensor):
            return rng.choice([0, 1, 2, 3, x]) if type(x) is int else x
        return (torch.rand([sizes[size] for size in x.shape]) * 9).to(dtypes[x.dtype])

    return tuple(other(x) for x in arguments)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=20000)
    parser.add_argument("--seed", type=int, default=0)
    chosen = parser.parse_args()
    warnings.simplefilter("ignore")
    rng = random.Random(chosen.seed)
    torch.manual_seed(chosen.seed)
    torch.set_num_threads(3)
    module: Any = native.cpu()
    calls = [(getattr(torch.ops.gantk, name.split()[0]), name, operators) for name in operators()]
    calls += [(getattr(module, name), name, functions) for name in functions()]
    answered = 0
    for _ in range(chosen.calls):
        call, name, made = rng.choice(calls)
        arguments = list(alike(made()[name], rng) if rng.random() < 0.6 else made()[name])
        for place in rng.sample(range(len(arguments)), rng.choice([0, 0, 1, 1, 1, 2, 3])):
            arguments[place] = changed(arguments[place], rng)
        try:
            with native.using(rng.choice(native.state("cpu").usable)):
                call(*arguments)
            answered += 1
        except EXPECTED:
            continue
    print(f"{chosen.calls} calls: {answered} answered, {chosen.calls - answered} refused, 0 crashes")


if __name__ == "__main__":
    main()
