"""Startup time of `gantk` commands, compared with Python's own and the import of torch: medians of alternating runs.

python bench/startup.py [--rounds 9]
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import time

import common

COMMANDS = {
    "python": ["-c", "pass"],
    "import torch": ["-c", "import torch"],
    "gantk --help": ["-m", "gantk", "--help"],
    "gantk list": ["-m", "gantk", "list"],
    "gantk build --help": ["-m", "gantk", "build", "--help"],
    "gantk build degan --dry-run": ["-m", "gantk", "build", "degan", "--data", "digits", "--dry-run"],
}


def seconds(arguments: list[str]) -> float:
    begin = time.perf_counter()
    subprocess.run([sys.executable, *arguments], capture_output=True, check=True)
    return time.perf_counter() - begin


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=9)
    rounds = parser.parse_args().rounds
    times: dict[str, list[float]] = {name: [] for name in COMMANDS}
    for turn in range(rounds + 1):
        for name, arguments in COMMANDS.items():
            taken = seconds(arguments)
            if turn:  # the first one reads files from disk
                times[name].append(taken)
    results = {name: {"s": statistics.median(found), "least s": min(found)} for name, found in times.items()}
    for name, found in results.items():
        print(f"{name:30} {found['s']:.2f} s, at least {found['least s']:.2f} s")
    print(common.write("startup", {"rounds": rounds, "interleaved": True, "figures": "medians"}, results))


if __name__ == "__main__":
    main()
