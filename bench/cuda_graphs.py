"""Speed of training on a GPU with steps as CUDA graphs, and with steps that are computed one by one.

    python bench/cuda_graphs.py --rounds 3 --steps 600

Both train the same networks on the same images, interleaved, in new runs; the first half of the steps does not count.
The results are written to `results/cuda_graphs.json`.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
from typing import Any

import common
import torch
from training import images

import gantk
from gantk.training.progress import Silent

CASES: dict[str, tuple[dict[str, Any], tuple[int, int, int], int]] = {
    "degan-28": ({"recipe": "degan-mnist", "noise": "gaussian", "loss": "nonsaturating"}, (1, 28, 28), 64),
    "dcgan-28": ({"recipe": "dcgan"}, (1, 28, 28), 64),
    "dcgan-64": ({"recipe": "dcgan"}, (3, 64, 64), 64),
    "wgan-gp-28": ({"recipe": "wgan-gp"}, (1, 28, 28), 64),
    "r3gan-28": ({"recipe": "r3gan"}, (1, 28, 28), 64),
}
"""Name → what is built, the images' shape, and the batch size."""


def speed(case: str, graphs: bool, precision: str, steps: int) -> float:
    """Images per second in the second half of a training, by its log."""
    what, shape, batch = CASES[case]
    settings = {"stages.*.length": f"{steps} steps", "stages.*.batch_size": batch, "train.log_every": steps // 2}
    settings |= {f"train.{name}_every": 10 * steps for name in ("sample", "checkpoint", "measure")}
    settings |= {"train.accelerator": "cuda", "train.precision": precision, "train.cuda_graphs": graphs}
    model = gantk.build(**what, data=images(shape), settings=settings)
    with tempfile.TemporaryDirectory() as folder:
        gantk.train(model, f"{folder}/run", progress=Silent())
        return float(gantk.Run(f"{folder}/run").log["images_per_second"][-1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", nargs="+", choices=CASES, default=list(CASES))
    parser.add_argument("--precisions", nargs="+", default=["32-true", "bf16-mixed"])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=600)
    args = parser.parse_args()
    if not torch.cuda.is_available():
        parser.error("this needs a CUDA device.")
    found: dict[str, dict[str, list[float]]] = {}
    for case in args.cases:
        for precision in args.precisions:
            each: dict[str, list[float]] = {"graphs": [], "one by one": []}
            for _ in range(args.rounds):
                each["graphs"].append(speed(case, True, precision, args.steps))
                each["one by one"].append(speed(case, False, precision, args.steps))
            found[f"{case} {precision}"] = each
            medians = {name: statistics.median(speeds) for name, speeds in each.items()}
            shown = ", ".join(f"{name} {value:.0f}" for name, value in medians.items())
            print(f"{case} {precision}: {shown} images/s", flush=True)
    device = torch.cuda.get_device_name()
    common.write(
        "cuda_graphs", {"device": device, "rounds": args.rounds, "steps": args.steps}, {"images per second": found}
    )


if __name__ == "__main__":
    main()
