"""OpenMP's wait policies, with and without other work on the machine: alternating training steps of a DCGAN.

python bench/openmp_waiting.py
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
from collections.abc import Mapping

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
for _ in range(24):
    turns.play([model.step(batch)])
print((time.perf_counter() - begin) / 24)
"""


POLICIES = {
    "unset": {},
    "passive": {"OMP_WAIT_POLICY": "PASSIVE"},
    **{f"spin {count:,}": {"GOMP_SPINCOUNT": str(count)} for count in (1_000, 3_000, 100_000)},
}
"""How threads wait: what the environment says. Of GNU's OpenMP, the spin count is how often they look before they
sleep; unset, it is 300,000, and passive, 0."""

ROUNDS = 3


def seconds(policy: Mapping[str, str]) -> float:
    """Seconds per step in a new process with this policy."""
    variables = {name for each in POLICIES.values() for name in each}
    environment = {name: value for name, value in os.environ.items() if name not in variables} | dict(policy)
    done = subprocess.run([sys.executable, "-c", STEP], env=environment, capture_output=True, text=True, check=True)
    return float(done.stdout)


def main() -> None:
    results = {}
    for load in (0, 1):
        others = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(load)]
        found: dict[str, list[float]] = {name: [] for name in POLICIES}
        try:
            for _ in range(ROUNDS):
                for name, policy in POLICIES.items():
                    found[name].append(seconds(policy))
        finally:
            for other in others:
                other.kill()
        print(f"{load} busy processes beside it")
        medians = {name: statistics.median(times) for name, times in found.items()}
        for name, median in medians.items():
            print(f"  {name}: {1000 * median:.0f} ms per step, {median / medians['unset']:.2f} of unset", flush=True)
        results[f"{load} busy processes beside it"] = {"seconds per step": found, "medians": medians}
    protocol = {"recipe": "dcgan", "batch_size": 64, "steps": 24, "rounds": ROUNDS, "interleaved": True}
    print(common.write("openmp_waiting", protocol, results))


if __name__ == "__main__":
    main()
