"""The gallery: recipes trained on real images; their samples, curves, speed and memory.

    GANTK_DATA=… python bench/gallery.py list
    GANTK_DATA=… python bench/gallery.py train age -o runs/gallery
    GANTK_DATA=… python bench/gallery.py page

`train` builds and trains one entry (half an hour to an hour on one core), and writes its pictures into
docs/gallery/NAME and its figures into bench/results/gallery_NAME.json. Ctrl-C stops the training and draws the current
samples; run it again to resume. `page` writes docs/gallery/README.md from all results, and a line on each into the
preset that was trained, for `gantk list recipe`.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import signal
import statistics
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import common
from gallery_entries import ENTRIES, Entry
from matplotlib.figure import Figure

from gantk.run.entries import read_log
from gantk.run.folder import Run
from gantk.run.terms import terms_of

DOCS = Path(__file__).parent.parent / "docs" / "gallery"
PLUGINS = Path(__file__).parent.parent / "plugins"
GANTK = (sys.executable, "-m", "gantk")
SCORED = 10_000
"""Samples that an entry is measured by."""


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = arguments.add_subparsers(dest="command", required=True)
    commands.add_parser("list", help="names and what each trains")
    train = commands.add_parser("train", help="train one entry")
    train.add_argument("name", choices=ENTRIES)
    train.add_argument("-o", "--output", type=Path, default=Path("runs/gallery"), help="folder of the runs")
    commands.add_parser("page", help="write docs/gallery/README.md")
    given = arguments.parse_args()
    if given.command == "list":
        for name, entry in ENTRIES.items():
            print(f"{name:16} {entry.title}")
    elif given.command == "train":
        train_entry(given.name, ENTRIES[given.name], given.output / given.name)
    else:
        (DOCS / "README.md").write_text(page(), encoding="utf-8")
        for preset, text in scored().items():
            preset.write_text(text, encoding="utf-8")


def train_entry(name: str, entry: Entry, run: Path) -> None:
    """Build where there is no run yet, train to the end or to Ctrl-C, draw, and write the figures down."""
    words = entry.words(os.environ["GANTK_DATA"])
    if not run.exists():
        subprocess.run([*GANTK, "build", *words, "-o", str(run)], check=True)
    peak = measured([*GANTK, "train", str(run)])
    folder = DOCS / name
    folder.mkdir(parents=True, exist_ok=True)
    shown = ("-n", "100", "--by-class") if entry.by_class else ("-n", "64")
    subprocess.run([*GANTK, "sample", str(run), *shown, "-o", str(folder / "grid.png")], check=True)
    if entry.refined:
        plain = str(folder / "grid-unrefined.png")
        subprocess.run([*GANTK, "sample", str(run), "-n", "64", "--no-refiner", "-o", plain], check=True)
    entries = read_log(Run(run).log_file)
    curves(entries, entry.title).savefig(folder / "curves.png", dpi=100)
    scores = evaluated(run, *entry.scoring(os.environ["GANTK_DATA"]))
    if entry.by_class:
        scores += ["", *evaluated(run, "--metric", "nearest-neighbor-accuracy", "--extractor", "pixels")]
    protocol = {"command": ["gantk", "build", *entry.words("$GANTK_DATA")], "title": entry.title, "note": entry.note}
    results = {"stages": stages(entries), "peak_memory_mib": peak, "scores": scores}
    print(common.write(f"gallery_{name}", protocol, results))


def evaluated(run: Path, *more: str) -> list[str]:
    """The lines of `gantk evaluate`, with the folders of this machine as the page names them."""
    command = [*GANTK, "evaluate", str(run), "-n", str(SCORED), *more]
    said = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    return said.replace(os.environ["GANTK_DATA"], "$GANTK_DATA").replace(str(run.parent), "runs/gallery").splitlines()


def measured(command: Sequence[str]) -> int:
    """Run a training until it ends or is interrupted; the most memory it had, in MiB."""
    process = subprocess.Popen(command)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the training's own: it saves where it stands
    _, status, usage = os.wait4(process.pid, 0)
    if os.waitstatus_to_exitcode(status) not in (0, 128 + signal.SIGINT):
        sys.exit(f"{' '.join(command)}: exit status {os.waitstatus_to_exitcode(status)}")
    return usage.ru_maxrss // 1024


def stages(entries: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Of each stage: its steps, its speed (the median over the log's intervals), and its values at the end."""
    found = []
    for stage in dict.fromkeys(entry["stage"] for entry in entries):
        own = [entry for entry in entries if entry["stage"] == stage]
        speed = statistics.median(entry["images_per_second"] for entry in own)
        last = {name: round(value, 4) for name, value in own[-1]["values"].items()}
        found.append(
            {
                "stage": stage,
                "steps": own[-1]["stage_step"],
                "seconds_per_1000_images": round(1000 / speed, 2),
                "last_values": last,
            }
        )
    return found


def curves(entries: Sequence[dict[str, Any]], title: str) -> Figure:
    """Every player's terms over steps, a panel for each stage."""
    names = list(dict.fromkeys(entry["stage"] for entry in entries))
    figure = Figure(figsize=(max(6.4, 4 * len(names)), 3.8), layout="constrained")
    for index, stage in enumerate(names):
        axes = figure.add_subplot(1, len(names), index + 1)
        own = [entry for entry in entries if entry["stage"] == stage]
        for term in terms_of(own[0]["values"]):
            # A lazy term is not in every line.
            values = [e["values"].get(term, float("nan")) for e in own]
            axes.plot([e["stage_step"] for e in own], values, label=term, linewidth=0.9)
        axes.set(title=stage, xlabel="step")
        axes.legend(fontsize="x-small")
        axes.grid(alpha=0.3)
    figure.suptitle(title)
    return figure


def page() -> str:
    """The gallery's page: every entry that has been trained, with the figures of its JSON."""
    lines = [
        "# Gallery",
        "",
        "Recipes, trained for real. Each entry is one command, run by `python bench/gallery.py train NAME`, which",
        "wrote the pictures here and the figures into `bench/results/gallery_NAME.json`; this page is made by",
        "`python bench/gallery.py page`. These are short trainings on a CPU, to see that a recipe learns; they are not",
        "the papers' results. Samples are drawn, not chosen: 64 of seed 0 from the last checkpoint. Scores are of one",
        "training with seed 0, as `gantk evaluate` prints them; what they mean is told in [Evaluate](../evaluate.md).",
        "Speeds are what it came to on a machine that did other work meanwhile, several times as much as this. Where",
        "fewer steps stand in the table than in the command, the training was stopped there. A command without",
        "`train.precision` was run when `32-true` was its default; to repeat it, add `--set=train.precision=32-true`.",
        "",
    ]
    for name, entry in ENTRIES.items():
        path = common.RESULTS / f"gallery_{name}.json"
        if path.exists():
            lines += section(name, entry, json.loads(path.read_text(encoding="utf-8")))
    return "\n".join(lines)


def section(name: str, entry: Entry, result: dict[str, Any]) -> list[str]:
    """One entry: pictures, command, figures and where they were taken."""
    machine, found = result["machine"], result["results"]
    shown = "Samples, a class in each column" if entry.by_class else "64 samples"
    protocol = result["protocol"]  # which says what was trained: the entry may have changed since
    lines = [f"## {protocol['title']}", "", f"![{shown}]({name}/grid.png)", ""]
    if entry.refined:
        lines += ["The same noise without the refiner (`gantk sample --no-refiner`):", ""]
        lines += [f"![The same 64 without the refiner]({name}/grid-unrefined.png)", ""]
    lines += ["<!-- test: skip -->", "```bash", typed(protocol["command"]), "```", ""]
    if protocol["note"]:
        lines += [protocol["note"], ""]
    lines += ["| stage | steps | seconds per 1000 images |", "|---|---|---|"]
    lines += [f"| {s['stage']} | {s['steps']:,} | {s['seconds_per_1000_images']:g} |" for s in found["stages"]]
    device = machine["gpu"] or f"{machine['cpu']}, {machine['threads']} of {machine['cores']} cores"
    lines += [
        "",
        f"Peak memory {found['peak_memory_mib']:,} MiB; {device}, beside other work; torch {machine['torch']}.",
    ]
    if "scores" in found:
        lines += ["", "```text", *found["scores"], "```"]
    return [*lines, "", f"![Losses over steps]({name}/curves.png)", ""]


def scored() -> dict[Path, str]:
    """The files of presets that have been trained and scored, as they are with that line."""
    presets = {file.stem: file for file in PLUGINS.glob("*/presets/*.toml")}
    found = {}
    for name in ENTRIES:
        path = common.RESULTS / f"gallery_{name}.json"
        result = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
        command = result["protocol"]["command"] if result else []
        added = any(word.startswith("--refiner") for word in command)  # which is no longer the preset
        preset = presets.get(command[2].partition(":")[0]) if command and not added else None
        if preset is None or preset in found or not result["results"].get("scores"):
            continue
        lines = preset.read_text(encoding="utf-8").splitlines()
        lines = [line for line in lines if not line.startswith("scored = ")]
        after = 1 + max(at for at, line in enumerate(lines) if line.startswith(("title = ", "paper = ", "extends = ")))
        found[preset] = "\n".join([*lines[:after], f'scored = "{sentence(result)}"', *lines[after:], ""])
    return found


def sentence(result: dict[str, Any]) -> str:
    """What was trained on, its score, and what it cost."""
    figures = {words[-2]: words[-1] for line in result["results"]["scores"] if len(words := line.split()) in (2, 3)}
    stages, machine = result["results"]["stages"], result["machine"]
    steps = sum(stage["steps"] for stage in stages)
    seconds = stages[-1]["seconds_per_1000_images"]
    where = result["protocol"]["title"].partition(" on ")[2].partition(":")[0]
    cores = f"{machine['threads']} core{'s' if machine['threads'] > 1 else ''}"
    features = re.search(r"features: ([\w-]+)", "\n".join(result["results"]["scores"]))
    score = f"Fréchet {figures['frechet']} ({features[1] if features else 'unknown features'})"
    cost = f"{seconds:g} s per 1,000 images on {cores} beside other work"
    return f"{where}: {score} after {steps:,} steps, {cost}; docs/gallery"


def typed(command: Sequence[str]) -> str:
    """A command as it is typed in a shell, a word to a line but for the first three; `$` is the shell's."""
    words = [f'"{word}"' if set(word) & set(" {}[]*") else word for word in command]
    return " \\\n    ".join([" ".join(words[:3]), *words[3:]])


if __name__ == "__main__":
    main()
