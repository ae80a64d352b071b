"""Memory runs out in the middle of a training.

    python tests/drills/memory.py --attempts 60

At a random step of `gantk train`, its process may from then on take only so much more (`RLIMIT_AS`): between 4 KiB and
64 MiB, half of the time just what the stack of one further thread needs. It must go on, or end with one line and the
exit status 1, within a minute. Where a thread's start fails within the C library itself, that says so and aborts, which
no program can prevent; such ends are counted apart. Trained to its end without the limit, the run must have the same
weights as one to which nothing happened, however it ended.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
from forked import gantk_forked

LIMITED = """
import resource, sys
from pathlib import Path
from gantk.__main__ import main
from gantk.training.trainer import Trainer
run, step, spare = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
whole, begun = Trainer._step, 0
def limited(self, *arguments):
    global begun
    begun += 1
    if begun == step:
        used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (used + spare, resource.getrlimit(resource.RLIMIT_AS)[1]))
    return whole(self, *arguments)
Trainer._step = limited
sys.argv = ["gantk", "train", run]
main()
"""
"""`gantk train RUN`, limited from a step on."""

STEPS = 30
BUILD = (
    *("--generator", "dcgan:width=8", "--discriminator", "dcgan:width=8", "--set", f"stages.game.length={STEPS} steps"),
    *("--set", "stages.game.batch_size=16", "--set", "train.checkpoint_every=7", "--set", "train.log_every=3"),
    *("--set", "train.sample_every=11"),
)
SECONDS = 60
ENDS = ("went on", "ended with one line", "aborted by the C library")
STACK = 8 << 20
"""Bytes of a thread's stack, on most systems."""


def gantk(*arguments: str) -> None:
    done = gantk_forked(*arguments, cwd=Path.cwd())
    done.check_returncode()


def weights(run: Path) -> str:
    return hashlib.sha256((run / "checkpoints" / f"step-{STEPS:07}" / "model.safetensors").read_bytes()).hexdigest()


def ended(run: Path, step: int, spare: int) -> str:
    """How a limited training ended, as it is counted; other ends are failures, and are said."""
    script = run.with_name("limited.py")
    script.write_text(LIMITED)
    try:
        done = gantk_forked(str(run), str(step), str(spare), script=script, cwd=run.parent, timeout=SECONDS)
    except subprocess.TimeoutExpired:
        return f"still there after {SECONDS} seconds"
    if done.returncode == 0:
        return "went on"
    told = done.stderr.decode()
    said = [line for line in told.splitlines() if not line.startswith(("game", "gantk: warning: "))]
    if done.returncode == 1 and len(said) == 1 and said[0].startswith("gantk: error: "):
        return "ended with one line"
    if done.returncode == -signal.SIGABRT and re.search(r"^Fatal glibc error: .*out of memory$", told, re.M):
        return "aborted by the C library"
    return f"exit status {done.returncode}: {told}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--attempts", type=int, default=60)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    rng, counts = random.Random(args.seed), Counter[str]()
    with tempfile.TemporaryDirectory() as folder:
        built, undisturbed, run = (Path(folder, name) for name in ("built", "undisturbed", "run"))
        gantk("build", *BUILD, "-o", str(built))
        shutil.copytree(built, undisturbed)
        gantk("train", str(undisturbed))
        for number in range(args.attempts):
            shutil.rmtree(run, ignore_errors=True)
            shutil.copytree(built, run)
            step = rng.randint(1, STEPS - 1)
            spare = STACK + rng.randint(0, 400_000) if rng.random() < 0.5 else int(2 ** rng.uniform(12, 26))
            end = ended(run, step, spare)
            gantk("train", str(run))
            if end not in ENDS:
                print(f"{number}: at step {step}, {spare} bytes more: {end}", flush=True)
                end = "failures"
            counts[end] += 1
            if weights(run) != weights(undisturbed):
                print(f"{number}: at step {step}, {spare} bytes more: other weights in the end", flush=True)
                counts["with other weights in the end"] += 1
    print(f"memory: {args.attempts} attempts, " + ", ".join(f"{count} {name}" for name, count in counts.items()))
    raise SystemExit(bool(counts["failures"] or counts["with other weights in the end"]))


if __name__ == "__main__":
    main()
