"""How many images to generate at once: seconds per image by chunk size, on this machine's GPU or else its CPU.

python bench/chunk_size.py

Chunk sizes alternate. Another size is better only if it is faster by more than the spread of the ratios.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence

import common
import torch

import gantk
from gantk.nn import evaluating

SIZES = (32, 64, 128, 256)
ROUNDS = 7
IMAGES = 512
MODELS = {
    "dcgan 28x28x1, width 64": ("dcgan:width=64", (1, 28, 28)),
    "dcgan 64x64x3, width 64": ("dcgan:width=64", (3, 64, 64)),
    "dcgan 128x128x3, width 32": ("dcgan:width=32", (3, 128, 128)),
}


def seconds(generator: torch.nn.Module, noise: torch.Tensor, size: int) -> float:
    """Seconds per image, the copy to the CPU included."""
    begin = time.perf_counter()
    for part in torch.split(noise, size):
        generator(part).float().cpu()
    return (time.perf_counter() - begin) / len(noise)


@torch.no_grad()
def measured(name: str, shape: Sequence[int], device: str, images: int) -> dict[str, object]:
    torch.manual_seed(0)
    generator = gantk.construct.construct("generator", name, image_shape=tuple(shape), noise_dim=128).to(device)
    noise = torch.randn(images, 128, device=device)
    times: dict[int, list[float]] = {size: [] for size in SIZES}
    with evaluating(generator):
        for size in SIZES:
            seconds(generator, noise, size)  # algorithms are chosen, and memory is taken
        for _ in range(ROUNDS):
            for size in SIZES:
                times[size].append(seconds(generator, noise, size))
    ratios = {
        size: [first / other for first, other in zip(times[SIZES[0]], times[size], strict=True)] for size in SIZES[1:]
    }
    return {
        "seconds per image": {str(size): statistics.median(each) for size, each in times.items()},
        f"times as fast as {SIZES[0]} at once": {
            str(size): {"median": statistics.median(each), "least": min(each), "most": max(each)}
            for size, each in ratios.items()
        },
    }


def main() -> None:
    device = "cuda" if torch.cuda.is_available() else "cpu"
    images = IMAGES * (16 if device == "cuda" else 1)
    results = {}
    for label, (name, shape) in MODELS.items():
        results[label] = measured(name, shape, device, images)
        print(label, results[label], flush=True)
    protocol = {"device": device, "images": images, "rounds": ROUNDS, "interleaved": True}
    print(common.write(f"chunk_size_{device}", protocol, results))


if __name__ == "__main__":
    main()
