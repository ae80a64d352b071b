"""The fused losses compared with eager torch and torch.compile: time, bandwidth, and the size from which they pay off.

Implementations alternate, and ratios are of consecutive runs. Bytes are the minimum that has to be moved: a forward
without gradients reads both maps; a forward with a backward reads them and writes the requested gradients. The
reference bandwidth is that of a copy between tensors of the map's size whose pages are already mapped; all
implementations write gradients to newly allocated memory.

python bench/fused_losses.py [--rounds 9] [--threads 2] [--largest 512]
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import common
import torch
from torch import Tensor

from gantk.ops import hidden_loss, native, vae_loss
from gantk.ops.losses import fused, reference

Loss = Callable[..., Tensor]

MAPS = (
    ((64, 128, 14, 14), torch.float32),
    ((64, 256, 32, 32), torch.float32),
    ((64, 256, 32, 32), torch.bfloat16),
    ((64, 512, 32, 32), torch.float32),
    ((64, 512, 64, 64), torch.float32),
)


def seconds(work: Callable[[], Any]) -> tuple[float, Any]:
    begin = time.perf_counter()
    result = work()
    return time.perf_counter() - begin, result


def eager(real: Tensor, fake: Tensor) -> Tensor:
    return reference.norm_loss(real, fake, 2)


def passes(loss: Loss, real: Tensor, fake: Tensor, wanted: tuple[Tensor, ...], weight: Tensor) -> dict[str, float]:
    """Seconds of a forward without gradients; of one that a backward follows, of that backward, and of the two; and the
    same of a loss that counts with a weight, as one of several does.

    What is left to either of the two is the way's own choice: gantk and torch.compile do much of the backward's work in
    the forward before it.
    """
    with torch.no_grad():
        forward, _ = seconds(lambda: loss(real, fake))
    found = {"forward": forward}
    for name, factor in (("", torch.ones(())), ("weighted ", weight)):
        before, term = seconds(lambda: loss(real, fake))
        after, gradients = seconds(partial(torch.autograd.grad, term, wanted, factor))
        del gradients, term
        found |= {f"{name}recorded forward": before, f"{name}backward": after, f"{name}both": before + after}
    return found


def one_map(shape: tuple[int, ...], dtype: torch.dtype, gradients: int, rounds: int) -> dict[str, Any]:
    """All ways on one size, in turns."""
    torch.compiler.reset()
    ways: dict[str, Loss] = {"gantk": hidden_loss, "eager": eager, "compile": torch.compile(eager, dynamic=False)}
    real, fake = torch.randn(2, *shape).to(dtype).unbind()
    wanted = (real, fake)[2 - gradients :]
    for leaf in wanted:
        leaf.requires_grad_()
    copy, weight = torch.empty_like(real), torch.tensor(0.3)
    size = real.numel() * real.element_size()
    times: dict[str, list[dict[str, float]]] = {way: [] for way in ways}
    copies: list[float] = []
    for turn in range(rounds + 2):
        found = {way: passes(loss, real, fake, wanted, weight) for way, loss in ways.items()}
        copying, _ = seconds(lambda: copy.copy_(real.detach()))
        if turn >= 2:  # the first ones compile, and touch the memory
            copies.append(copying)
            for way, of_way in found.items():
                times[way].append(of_way)
    moved = {"forward": 2 * size, "both": (2 + gradients) * size, "weighted both": (2 + gradients) * size}
    result: dict[str, Any] = {"MiB per map": size / 2**20, "copy GB/s": 2 * size / statistics.median(copies) / 1e9}
    for name in times["gantk"][0]:
        of_ways = {way: [turn[name] for turn in turns] for way, turns in times.items()}
        result[name] = {
            "ms": {way: 1e3 * statistics.median(values) for way, values in of_ways.items()},
            "eager / gantk": ratio(of_ways["eager"], of_ways["gantk"]),
            "compile / gantk": ratio(of_ways["compile"], of_ways["gantk"]),
        }
        if name in moved:
            result[name]["gantk GB/s"] = moved[name] / statistics.median(of_ways["gantk"]) / 1e9
    return result


def ratio(other: list[float], own: list[float]) -> float:
    """The median of the ratios of neighbors."""
    return statistics.median(a / b for a, b in zip(other, own, strict=True))


def one_call(
    rounds: int, plain: Callable[[], Tensor], fused: Callable[[], Tensor], leaves: list[Tensor]
) -> dict[str, float]:
    """Microseconds of a forward and a backward of small losses, and the plain operations' share of them."""
    repeats = 100
    pairs: list[list[float]] = [[], []]
    for turn in range(rounds + 1):
        for times, work in zip(pairs, (plain, fused), strict=True):
            taken, _ = seconds(lambda: [torch.autograd.grad(work(), leaves) for _ in range(repeats)])  # noqa: B023
            if turn:
                times.append(1e6 * taken / repeats)
    plain_time, fused_time = (statistics.median(times) for times in pairs)
    return {"eager µs": plain_time, "native µs": fused_time, "eager / native": ratio(*pairs)}


def small_calls(rounds: int) -> dict[str, Any]:
    """Where a native call begins to pay, on one thread: both ways at every size."""
    threads, least = torch.get_num_threads(), fused.WORTH_A_CALL
    torch.set_num_threads(1)
    fused.WORTH_A_CALL = 0
    found: dict[str, Any] = {}
    for dim in (128, 512, 2048):
        a, b = torch.randn(2, 64, dim).unbind()
        leaves = [b.requires_grad_()]
        found[f"hidden_loss, 2 × 64 × {dim}"] = one_call(
            rounds, lambda a=a, b=b: eager(a, b), lambda a=a, b=b: hidden_loss(a, b), leaves
        )
    for kind in ("mse", "bce"):
        for shape in ((64, 1, 4, 4), (64, 1, 28, 28)):
            target, images = torch.rand(2, *shape).unbind()
            mean, log_variance = torch.randn(2, 64, 32).unbind()
            leaves = [x.requires_grad_() for x in (images, mean, log_variance)]
            inputs = (images, target, mean, log_variance)
            found[f"vae_loss {kind}, {' × '.join(map(str, shape))}"] = one_call(
                rounds,
                lambda x=inputs, kind=kind: reference.vae_loss(*x, kind, 1.0),
                lambda x=inputs, kind=kind: vae_loss(*x, kind=kind),
                leaves,
            )
    fused.WORTH_A_CALL = least
    torch.set_num_threads(threads)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--largest", type=float, default=512, help="MiB of the largest map to measure")
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    torch.manual_seed(0)
    protocol = {
        "rounds": given.rounds,
        "interleaved": True,
        "figures": "medians; ratios are medians of ratios of neighbors",
        "instruction set": native.instruction_set(),
        "native build": native.available("cpu"),
    }
    results: dict[str, Any] = {"hidden_loss": {}, "small calls": small_calls(given.rounds)}
    for name, found in results["small calls"].items():
        print(f"{name:42} {found}", flush=True)
    for shape, dtype in MAPS:
        if torch.Size(shape).numel() * dtype.itemsize / 2**20 > given.largest:
            continue
        for gradients in (1, 2):
            kind = str(dtype).removeprefix("torch.")
            name = f"{' × '.join(map(str, shape))}, {kind}, {gradients} gradient{'s'[: gradients - 1]}"
            results["hidden_loss"][name] = found = one_map(shape, dtype, gradients, given.rounds)
            print(name, f"copy {found['copy GB/s']:.1f} GB/s")
            for part, of_part in found.items():
                if isinstance(of_part, dict):
                    ratios = f"eager {of_part['eager / gantk']:.2f}, compile {of_part['compile / gantk']:.2f}"
                    print(f"    {part:25} {of_part['ms']['gantk']:8.2f} ms; times it: {ratios}", flush=True)
            common.write("fused_losses", protocol, results)  # each time: what is cut off leaves what it has


if __name__ == "__main__":
    main()
