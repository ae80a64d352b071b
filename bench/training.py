"""Speed of training: `gantk train` beside a plain loop, and beside one with the usual switches, on the same networks.

    python bench/training.py --rounds 5 --seconds 20
    python bench/training.py --cases dcgan-28 --loops plain gantk

* `plain`: the loop of PyTorch's DCGAN example in float32.
* `tuned`: that loop compiled, with weights and images in the channels-last format and fused Adam.
* `tuned-bf16`: the same under autocast to bfloat16.
* `gantk`: the process of `gantk train` for a run of the same networks, losses and optimizers, with its defaults.

Every loop trains new networks in a process of its own, and the loops alternate. The first seconds, in which torch
prepares its kernels and compiles, do not count; nor does the rest of the time until the process is ready. Slow
networks need many seconds: the first checkpoint and picture of `gantk train` are among them. The results are written
to `results/training/CASE.json`.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import common
import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

import gantk

CASES: dict[str, tuple[dict[str, Any], tuple[int, int, int], int]] = {
    "degan-28": ({"recipe": "degan-mnist", "noise": "gaussian", "loss": "nonsaturating"}, (1, 28, 28), 64),
    "degan-28-128": ({"recipe": "degan-mnist", "noise": "gaussian", "loss": "nonsaturating"}, (1, 28, 28), 128),
    "dcgan-28": ({"recipe": "dcgan"}, (1, 28, 28), 64),
    "dcgan-28-128": ({"recipe": "dcgan"}, (1, 28, 28), 128),
    "dcgan-64": ({"recipe": "dcgan"}, (3, 64, 64), 64),
}
"""Name → what is built, the images' shape, and the batch size."""
LOOPS = ("plain", "tuned", "tuned-bf16", "gantk")
IMAGES = 2048
DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
WARM = 4
"""Steps before the time counts."""


def images(shape: tuple[int, int, int]) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """Smooth blots, uint8 `[N, C, H, W]`."""
    random = np.random.default_rng(0)
    coarse = torch.from_numpy(random.random((IMAGES, shape[0], 4, 4), dtype=np.float32))
    fine = nn.functional.interpolate(coarse, shape[1:], mode="bicubic").clamp(0, 1)
    return (fine * 255).to(torch.uint8).numpy()


def built(case: str, data: Any, **settings: Any) -> gantk.Model:
    what, _, batch = CASES[case]
    return gantk.build(**what, data=data, settings={"stages.game.batch_size": batch, **settings})


def speed_of_loop(case: str, loop: str, seconds: float) -> float:
    """Images per second of PyTorch's own loop."""
    _, shape, batch = CASES[case]
    pictures = images(shape)
    real = torch.from_numpy(pictures).to(DEVICE)
    model = built(case, pictures)
    tuned, half = loop != "plain", loop == "tuned-bf16"
    layout = torch.channels_last if tuned else torch.contiguous_format
    networks = [model.get_submodule(name).train().requires_grad_(True) for name in ("generator", "discriminator")]
    generator, discriminator = (network.to(DEVICE, memory_format=layout) for network in networks)
    players = {player.name: player.optimizer for player in model.built.stages[0].players}
    optimizers = {}
    for name, network in (("generator", generator), ("discriminator", discriminator)):
        options = {key: value for key, value in players[name].items() if key != "optimizer"}
        optimizers[name] = torch.optim.Adam(network.parameters(), **options, fused=tuned)
    judge = torch.compile(lambda x: discriminator(x).logits) if tuned else (lambda x: discriminator(x).logits)
    draw = torch.compile(generator) if tuned else generator
    noise_dim = model.noise.dim

    def loss(judged: Tensor, target: float) -> Tensor:
        with torch.autocast(DEVICE, torch.bfloat16) if half else nullcontext():
            logits = judge(judged).float()
        return nn.functional.binary_cross_entropy_with_logits(logits, torch.full_like(logits, target))

    def step() -> None:
        chosen = real[torch.randint(IMAGES, (batch,), device=DEVICE)].float().div(127.5).sub(1).to(memory_format=layout)
        optimizers["discriminator"].zero_grad()
        loss(chosen, 1.0).backward()
        with torch.autocast(DEVICE, torch.bfloat16) if half else nullcontext():
            fake = draw(torch.randn(batch, noise_dim, device=DEVICE)).float()
        loss(fake.detach(), 0.0).backward()
        optimizers["discriminator"].step()
        optimizers["generator"].zero_grad()
        loss(fake, 1.0).backward()
        optimizers["generator"].step()

    for _ in range(WARM):
        step()
    wait = torch.cuda.synchronize if DEVICE == "cuda" else (lambda: None)
    wait()
    steps, began = 0, time.perf_counter()
    while time.perf_counter() - began < seconds:
        step()
        steps += 1
    wait()
    spent = time.perf_counter() - began
    return steps * batch / spent


def speed_of_gantk(case: str, seconds: float) -> float:
    """Images per second of `gantk train`, by the times in its log."""
    batch = CASES[case][2]
    with tempfile.TemporaryDirectory() as folder:
        data, run = Path(folder) / "images", Path(folder) / "run"
        data.mkdir()
        for number, pixels in enumerate(images(CASES[case][1])):
            Image.fromarray(pixels.transpose(1, 2, 0).squeeze()).save(data / f"{number:04}.png")
        settings = {"stages.game.length": "100000 steps", "train.log_every": WARM}
        built(case, {"plugin": "folder", "path": str(data)}, **settings).save(run)
        limit = f"{seconds + 3:.0f}s"
        subprocess.run(
            [sys.executable, "-m", "gantk", "train", str(run), "--time", limit], check=True, capture_output=True
        )
        log = gantk.Run(run).log
    times, steps = log["time"], log["step"]
    return float((steps[-1] - steps[0]) * batch / (times[-1] - times[0]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", nargs="+", choices=CASES, default=list(CASES))
    parser.add_argument("--loops", nargs="+", choices=LOOPS, default=list(LOOPS))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=20, help="time of each measurement")
    parser.add_argument("--one", action="store_true", help="measure one case and loop, and print the images per second")
    args = parser.parse_args()
    if args.one:
        (case,), (loop,) = args.cases, args.loops
        print(speed_of_gantk(case, args.seconds) if loop == "gantk" else speed_of_loop(case, loop, args.seconds))
        return
    for case in args.cases:
        found: dict[str, list[float]] = {loop: [] for loop in args.loops}
        for _ in range(args.rounds):
            for loop in args.loops:
                again = [
                    sys.executable,
                    __file__,
                    "--one",
                    "--cases",
                    case,
                    "--loops",
                    loop,
                    "--seconds",
                    f"{args.seconds}",
                ]
                done = subprocess.run(again, check=True, capture_output=True, text=True)
                found[loop].append(round(float(done.stdout.split()[-1]), 1))
        medians = {loop: statistics.median(speeds) for loop, speeds in found.items()}
        protocol = {"batch": CASES[case][2], "rounds": args.rounds, "seconds": args.seconds, "interleaved": True}
        common.write(f"training/{case}", protocol, {"images per second": found, "medians": medians})
        shown = ", ".join(f"{loop} {speed:.0f}" for loop, speed in medians.items())
        print(f"{case}: {shown} images/s", flush=True)


if __name__ == "__main__":
    main()
