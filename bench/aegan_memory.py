"""Peak memory and time per step of each of AEGAN's stages at 512×512, on photographs.

Each stage runs in its own process: one step to warm up, then the measured ones. The peak is the resident memory of the
process, including Python and torch.

    GANTK_DATA=… python bench/aegan_memory.py            # several minutes and up to 20 GB on 2 cores
    GANTK_DATA=… python bench/aegan_memory.py --size 128 --batch 4 --dry-run
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time

import common
import torch

import gantk
from gantk.building.train_settings import TrainSettings
from gantk.data import to_float
from gantk.run.terms import terms_of
from gantk.schedule import Batch, Stage
from gantk.training.devices import fabric_of
from gantk.training.turn import Turns

STAGES = ("autoencode", "game", "fine-tune")
LIMIT_GB = 20


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--size", type=int, default=512)
    arguments.add_argument("--batch", type=int, default=16)
    arguments.add_argument("--steps", type=int, default=1, help="measured steps, after one that is not")
    arguments.add_argument("--threads", type=int, default=torch.get_num_threads())
    arguments.add_argument("--stage", choices=STAGES, help="measure this stage, in this process")
    arguments.add_argument("--dry-run", action="store_true", help="print, and write no results")
    given = arguments.parse_args()
    torch.set_num_threads(given.threads)
    if given.stage:
        print(json.dumps(measure(given.stage, given.size, given.batch, given.steps)))
        return
    results = {stage: apart(stage, given) for stage in STAGES}
    for stage, result in results.items():
        print(stage, result)
    protocol = {
        "preset": "aegan-512",
        "data": "imagenet-sample-512",
        "size": given.size,
        "batch_size": given.batch,
        "steps": given.steps,
        "threads": given.threads,
    }
    if not given.dry_run:
        print(common.write("aegan_memory", protocol, {"limit_gb": LIMIT_GB, "stages": results}))


def apart(stage: str, given: argparse.Namespace) -> dict[str, object]:
    """One stage in a process of its own; its peak is what the kernel counted."""
    options = {"size": given.size, "batch": given.batch, "steps": given.steps, "threads": given.threads}
    words = [word for name, value in options.items() for word in (f"--{name}", str(value))]
    command = [sys.executable, __file__, "--stage", stage, *words]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    told = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        sys.exit(f"stage {stage} failed: {os.waitstatus_to_exitcode(status)}")
    return {"peak_memory_gb": round(usage.ru_maxrss * 1024 / 1e9, 2), **json.loads(told)}


def measure(name: str, size: int, batch: int, steps: int) -> dict[str, object]:
    """Seconds per step of one stage, and the terms of its last one."""
    photographs = os.path.join(os.environ["GANTK_DATA"], "imagenet-sample-512", "imagenet-sample-512.zip")
    model = gantk.build(
        "aegan-512", data=f"zip:path={photographs},size={size}", settings={f"stages.{s}.batch_size": 2 for s in STAGES}
    )
    stage: Stage = next(stage for stage in model.built.stages if stage.name == name)
    assert model.built.data is not None
    images = to_float(model.built.data.images(range(batch)))
    turns = Turns(fabric_of(TrainSettings(accelerator="cpu")), model, stage)
    model.eval().requires_grad_(False)
    for path in stage.moves():
        model.get_submodule(path).train()
    torch.manual_seed(0)
    seconds, values = [], {}
    for _ in range(1 + steps):
        started = time.perf_counter()
        played = turns.play(iter([model.step(Batch(images), stage.values)]))
        values = {name: float(value) for turn in played for name, value in turn.items()}
        seconds.append(time.perf_counter() - started)
    return {
        "seconds_per_step": round(min(seconds[1:]), 2),
        "terms": {name: round(value, 4) for name, value in values.items() if name in terms_of(values)},
    }


if __name__ == "__main__":
    main()
