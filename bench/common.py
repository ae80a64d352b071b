"""Shared by the benchmarks: writing results as JSON, with a description of the machine."""

from __future__ import annotations

import json
import os
import platform
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import torch

import gantk.registry

PLAIN = {"train.precision": "32-true"}
"""Settings of trainings whose results are compared: the same arithmetic on all machines, whatever is faster there."""

RESULTS = Path(os.environ.get("GANTK_RESULTS") or Path(__file__).parent / "results")
"""Where results are written: the folder in GANTK_RESULTS, or `bench/results`."""


def machine() -> dict[str, Any]:
    """What a reader needs to judge a figure by."""
    model = platform.processor() or "unknown"
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        names = [line.partition(":")[2].strip() for line in cpuinfo.read_text().splitlines() if "model name" in line]
        model = names[0] if names else model
    return {
        "cpu": model,
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "capability": torch.backends.cpu.get_cpu_capability(),
        "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
        "python": platform.python_version(),
        "torch": str(torch.__version__),
        "gantk": gantk.registry.find("recipe", "dcgan").version,
    }


def write(name: str, protocol: dict[str, Any], results: Any) -> Path:
    """Write `results/NAME.json`: when, on what machine, how, and what came out."""
    path = RESULTS / f"{name}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    date = datetime.now(timezone.utc).isoformat(timespec="seconds")
    text = json.dumps({"date": date, "machine": machine(), "protocol": protocol, "results": results}, indent=2)
    path.write_text(text + "\n", encoding="utf-8")
    return path
