"""OpenMP's wait policies, with and without other work on the machine: alternating training steps of a DCGAN.

python bench/openmp_waiting.py
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys

import common

STEP = """
import time, torch, gantk
from lightning_fabric import Fabric
from gantk.schedule import Batch
from gantk.training.turn import Turns
model = gantk.build("dcgan")
turns = Turns(Fabric(accelerator="cpu", devices=1), model, model.built.stages[0])
batch = Batch(torch.rand(64, 1, 28, 28) * 2 - 1)
turns.play([model.step(batch)])
begin = time.perf_counter()
for _ in range(12):
    turns.play([model.step(batch)])
print((time.perf_counter() - begin) / 12)
"""


def seconds(policy: str | None) -> float:
    """Seconds per step in a new process with this policy, or with none set."""
    environment = {name: value for name, value in os.environ.items() if name != "OMP_WAIT_POLICY"}
    if policy:
        environment["OMP_WAIT_POLICY"] = policy
    done = subprocess.run([sys.executable, "-c", STEP], env=environment, capture_output=True, text=True, check=True)
    return float(done.stdout)


def main() -> None:
    results = {}
    for load in (0, 1):
        others = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(load)]
        try:
            pairs = [(seconds(None), seconds("PASSIVE")) for _ in range(3)]
        finally:
            for other in others:
                other.kill()
        ratios = [unset / passive for unset, passive in pairs]
        results[f"{load} busy processes beside it"] = {"pairs": pairs, "unset / passive": statistics.median(ratios)}
        print(load, results[f"{load} busy processes beside it"], flush=True)
    protocol = {"recipe": "dcgan", "batch_size": 64, "steps": 12, "pairs": 3, "interleaved": True}
    print(common.write("openmp_waiting", protocol, results))


if __name__ == "__main__":
    main()
