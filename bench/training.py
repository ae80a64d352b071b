"""Speed of training: `gantk train` beside a plain loop, and beside one with the usual switches, on the same networks.

    python bench/training.py --rounds 5 --seconds 20
    python bench/training.py --cases dcgan-28 --loops plain gantk
    python bench/training.py --cases dcgan-28 --profile

* `plain`: a loop as in PyTorch's DCGAN example, in float32.
* `tuned`: that loop compiled, with weights and images in the channels-last format and fused Adam.
* `tuned-bf16`: the same under autocast to bfloat16.
* `gantk`: the process of `gantk train` for a run of the same networks, losses and optimizers, with its defaults: it
  begins with choosing the precision, which is written down too.
* `gantk-32`: the same in float32.
* `gantk-32-free`: that with kernels whose results may differ in their last bits (`train.deterministic=false`).

Every loop trains new networks in a process of its own, and the loops alternate. The first seconds, in which torch
prepares its kernels and compiles and gantk chooses, do not count; nor does the rest of the time until the process is
ready. Slow networks need many seconds: the first checkpoint and picture of `gantk train` are among them. The results
are written to `results/training/CASE.json`; a loop that fails is left out, and why is written in its place.

`--profile` writes `results/training/CASE-profile.json`: the operators that a step of gantk spends its time in, in
float32 and in bfloat16. How well what is faster learns is measured by `training_curves.py`.
"""

from __future__ import annotations

import argparse
import json
import resource
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import common
import torch
import training_loops
from PIL import Image
from torch.profiler import ProfilerActivity, profile
from training_cases import CASES, Case
from training_loops import DEVICE, Loop

import gantk
from gantk.run.chosen import read_chosen
from gantk.run.entries import read_log
from gantk.run.folder import Run
from gantk.training.progress import Silent

PLAIN = {"plain": (False, False), "tuned": (True, False), "tuned-bf16": (True, True)}
"""Loop → whether it is tuned, and whether it computes in bfloat16."""
GANTK: dict[str, dict[str, str]] = {
    "gantk": {},
    "gantk-32": common.PLAIN,
    "gantk-32-free": {**common.PLAIN, "train.deterministic": "false"},
}
"""Loop → settings of the run."""
LOOPS = (*PLAIN, *GANTK)
WARM = 4
"""Steps before the time counts."""
PROFILED, OPERATORS = 10, 25
"""Steps that are profiled, and operators that are written down."""


def speed_of_loop(case: Case, loop: str, seconds: float) -> float:
    """Images per second of PyTorch's own loop."""
    pictures = case.images()
    model = case.built(pictures)
    stage = next(stage for stage in model.built.stages if stage.name == case.stage)
    tuned, half = PLAIN[loop]
    play: Any = getattr(training_loops, case.loop)
    step = play(Loop(model, stage, torch.from_numpy(pictures).to(DEVICE), tuned, half))
    for _ in range(WARM):
        step()
    wait = torch.cuda.synchronize if DEVICE == "cuda" else (lambda: None)
    wait()
    steps, began = 0, time.perf_counter()
    while time.perf_counter() - began < seconds:
        step()
        steps += 1
    wait()
    return steps * case.batch / (time.perf_counter() - began)


def speed_of_gantk(case: Case, loop: str, seconds: float) -> tuple[float, str]:
    """Images per second of `gantk train`, by the times in its log, and what it has chosen."""
    with tempfile.TemporaryDirectory() as folder:
        data, run = Path(folder) / "images", Run(Path(folder) / "run")
        data.mkdir()
        for number, pixels in enumerate(case.images()):
            Image.fromarray(pixels.transpose(1, 2, 0).squeeze()).save(data / f"{number:04}.png")
        settings: dict[str, Any] = {"train.log_every": WARM, **GANTK[loop]}
        case.built({"plugin": "folder", "path": str(data)}, **settings).save(run.path)
        command = [sys.executable, "-m", "gantk", "train", str(run)]
        process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        times: list[float] = []
        while len(times) < 2 or times[-1] - times[0] < seconds:
            time.sleep(0.2)
            if process.poll() is not None and process.stderr is not None:
                raise RuntimeError(process.stderr.read())
            lines = [line for line in read_log(run.log_file) if line["stage"] == case.stage]
            times = [line["time"] for line in lines]
        process.send_signal(signal.SIGINT)
        process.communicate()
        chosen = read_chosen(run)
    steps = lines[-1]["stage_step"] - lines[0]["stage_step"]
    return steps * case.batch / (times[-1] - times[0]), str(chosen.computing) if chosen else "32-true"


class Profiled(Silent):
    """Profiles the steps of a stage after the first ones."""

    def __init__(self, stage: str) -> None:
        super().__init__()
        self._measured, self._played = stage, 0
        self.profiler = profile(activities=[ProfilerActivity.CPU, *[ProfilerActivity.CUDA] * (DEVICE == "cuda")])

    def start(self, stage: str, steps: int, done: int, images_per_step: int) -> None:
        super().start(stage, steps, done, images_per_step)
        self._counts = stage == self._measured

    def step(self) -> None:
        self._played += self._counts
        if self._counts and self._played == WARM:
            self.profiler.start()
            self._began, self._used = time.perf_counter(), resource.getrusage(resource.RUSAGE_SELF)
        elif self._counts and self._played == WARM + PROFILED:
            self.seconds, used = time.perf_counter() - self._began, resource.getrusage(resource.RUSAGE_SELF)
            self.profiler.stop()
            system, user = used.ru_stime - self._used.ru_stime, used.ru_utime - self._used.ru_utime
            self.system = {
                "share of the system": round(system / (system + user), 4),
                "pages": (used.ru_minflt - self._used.ru_minflt) / PROFILED,
            }


def operators(case: Case, precision: str, memory_format: str) -> dict[str, Any]:
    """Where a step of gantk spends its time: the share of each operator itself, and of what is none."""
    progress = Profiled(case.stage)
    usual = {"train.log_every": 50, "train.precision": precision, "train.memory_format": memory_format}
    with tempfile.TemporaryDirectory() as folder:
        model = case.built(case.images(), f"{WARM + PROFILED + 1} steps", **usual)
        gantk.train(model, Path(folder) / "run", progress=progress)
    whole = progress.seconds * 1e6
    found = [(str(each.key), each.self_cpu_time_total, each.count) for each in progress.profiler.key_averages()]
    found.sort(key=lambda each: -each[1])
    shares = {name: {"share": round(own / whole, 4), "calls": count / PROFILED} for name, own, count in found}
    return {
        "milliseconds": round(whole / 1e3 / PROFILED, 2),
        **progress.system,
        "outside operators": round(1 - sum(own for _, own, _ in found) / whole, 4),
        "operators": dict([*shares.items()][:OPERATORS]),
    }


def measured(name: str, loop: str, seconds: float) -> dict[str, Any]:
    """One measurement in a process of its own."""
    again = [sys.executable, __file__, "--one", "--cases", name, "--loops", loop, "--seconds", f"{seconds}"]
    done = subprocess.run(again, capture_output=True, text=True)
    if done.returncode:
        return {"failed": done.stderr.strip().splitlines()[-1][:300]}
    return dict(json.loads(done.stdout.splitlines()[-1]))


def one(case: Case, loop: str, seconds: float) -> dict[str, Any]:
    if loop in PLAIN:
        return {"speed": round(speed_of_loop(case, loop, seconds), 1)}
    speed, chosen = speed_of_gantk(case, loop, seconds)
    return {"speed": round(speed, 1), "chosen": chosen}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", nargs="+", choices=CASES, default=list(CASES))
    parser.add_argument("--loops", nargs="+", choices=LOOPS, default=list(LOOPS))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=20, help="time of each measurement")
    parser.add_argument(
        "--profile", action="store_true", help="where a step of gantk spends its time, in place of speeds"
    )
    parser.add_argument("--one", action="store_true", help="measure one case and loop, and print what was measured")
    args = parser.parse_args()
    if args.one:
        (name,), (loop,) = args.cases, args.loops
        print(json.dumps(one(CASES[name], loop, args.seconds)))
        return
    for name in args.cases:
        if args.profile:
            ways = (("32-true", "contiguous"), ("bf16-mixed", "contiguous"), ("bf16-mixed", "channels_last"))
            profiles = {", ".join(way): operators(CASES[name], *way) for way in ways}
            print(common.write(f"training/{name}-profile", {"steps": PROFILED, "batch": CASES[name].batch}, profiles))
            continue
        found: dict[str, list[dict[str, Any]]] = {loop: [] for loop in args.loops}
        for _ in range(args.rounds):
            for loop in args.loops:
                found[loop].append(measured(name, loop, args.seconds))
        speeds = {loop: [each["speed"] for each in all_ if "speed" in each] for loop, all_ in found.items()}
        medians = {loop: statistics.median(each) for loop, each in speeds.items() if each}
        protocol = {"batch": CASES[name].batch, "rounds": args.rounds, "seconds": args.seconds, "interleaved": True}
        results = {
            "images per second": speeds,
            "medians": medians,
            "chosen": [each["chosen"] for each in found.get("gantk", []) if "chosen" in each],
            "failed": {loop: all_[0]["failed"] for loop, all_ in found.items() if "failed" in all_[0]},
        }
        common.write(f"training/{name}", protocol, results)
        shown = ", ".join(f"{loop} {speed:.0f}" for loop, speed in medians.items())
        print(f"{name}: {shown} images/s; gantk chose {results['chosen']}", flush=True)
        for loop, why in results["failed"].items():
            print(f"{name}: {loop} failed: {why}", flush=True)


if __name__ == "__main__":
    main()
