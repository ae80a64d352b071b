"""Runs and checkpoints as others may have written them, each with valid inputs that a fuzzer changes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import Any

import tomli_w
from drills.fuzz import Reader
from drills.steps import each_of
from drills.structure import changed_toml

import gantk
from gantk.building.assembly import assemble
from gantk.evaluation.scores import newest_figures, read_scores, scores_file
from gantk.report.one_run import run_json, run_text
from gantk.report.runs import runs_text, summarized
from gantk.run.chosen import read_chosen
from gantk.run.entries import columns, log_lines
from gantk.run.folder import Run
from gantk.run.history import Change, add_change, leaves, read_history, undone
from gantk.run.lock import busy, locked
from gantk.run.terms import terms_of

__all__ = ["history", "lock", "log", "model", "scores", "small_spec", "spec"]


@cache
def small_spec() -> Mapping[str, Any]:
    """The spec of a small model, as it is written."""
    settings = {"stages.game.length": "4 steps", "stages.game.batch_size": 8, "train.ema": 0.9}
    parts = {"noise": "gaussian:dim=3", "generator": "dcgan:width=2", "discriminator": "dcgan:width=2"}
    return gantk.build("dcgan", **parts, loss="hinge", settings=settings).built.spec  # type: ignore[arg-type]


def _text(value: Mapping[str, Any]) -> bytes:
    return tomli_w.dumps(value).encode()


def spec() -> Reader:
    """`model.toml`, as far as `gantk list-runs` and a table read it."""

    def read(data: bytes, folder: Path) -> None:
        run = Run(folder)
        run.model_toml.write_bytes(data)
        runs_text([summarized(run)])
        leaves(run.spec())

    return Reader(
        [_text(small_spec())],
        read,
        [b"[[", b"]]", b'"""', b"a.b.c", b"[stages.game]", b"= true", b"#"],
        restructure=changed_toml,
    )


def model() -> Reader:
    """`model.toml`, and the model that is built by it."""

    def read(data: bytes, folder: Path) -> None:
        run = Run(folder)
        run.model_toml.write_bytes(data)
        assemble(run.spec(), for_training=False)
        run_text(run)
        json.dumps(run_json(run), default=str)

    return Reader(
        [_text(small_spec())],
        read,
        [b'"gantk:wgan-gp"', b'"gantk:gan"', b"1e30", b"-1", b"true"],
        restructure=changed_toml,
    )


def log() -> Reader:
    """`log.jsonl`."""
    line = {"step": 1, "stage": "game", "stage_step": 1, "stage_images": 8, "stage_seconds": 0.5, "time": 1.7e9}
    values = {"generator/hinge": 0.5, "generator/hinge/weight": 1.0, "measure/prdc/precision": 0.5}
    lines = [json.dumps({**line, "step": step, "values": values}) for step in (1, 2, 3)]

    def read(data: bytes, folder: Path) -> None:
        run = Run(folder)
        run.log_file.write_bytes(data)
        if not run.model_toml.exists():
            run.rewrite(small_spec())
        entries, _ = log_lines(run.log_file)
        columns(entries)
        for entry in entries:
            terms_of(entry["values"])
        runs_text([summarized(run)])

    return Reader(
        ["\n".join(lines).encode() + b"\n"], read, [b'"step"', b'"values"', b'"time"', b"\n", b"{", b"}", b"[", b"]"]
    )


def lock() -> Reader:
    """The lock of a run, whatever is in its place."""

    def read(data: bytes, folder: Path) -> None:
        run = Run(folder)
        (folder / ".lock").write_bytes(data)
        busy(run)
        with locked(run):
            pass

    return Reader([b"", b"1234\n", b'{"pid": 1}'], read)


def history() -> Reader:
    """`history.toml`."""
    seed = _text(
        {
            "change": [
                asdict(
                    Change(1, {"stages": {"game": {"length": "4 steps"}}}, {"stages": {"game": {"length": "9 steps"}}})
                )
            ]
        }
    )

    def read(data: bytes, folder: Path) -> None:
        run = Run(folder)
        (folder / "history.toml").write_bytes(data)
        changes = read_history(run)
        undone(small_spec(), changes)
        add_change(run, Change(2, {}, {"seed": 1}))

    return Reader(
        [seed], read, [b"[[change]]", b"step", b"was", b"now", b"time", b"= {", b"}"], restructure=changed_toml
    )


def scores() -> Reader:
    """`metrics.json`, `best.json` and `precision.json`."""
    real = {
        "data": "digits",
        "split": "train",
        "images": 9,
        "of": 9,
        "subset_seed": None,
        "shape": [1, 8, 8],
        "content": "a",
        "labels": "",
    }
    made = {
        "source": "r",
        "images": 9,
        "quantized": "uint8",
        "seed": 0,
        "labels": "none",
        "averaged": True,
        "refined": None,
    }
    made |= {"dtype": "float32", "step": 3, "weights": "a", "content": ""}
    features = {"extractor": "pixels", "hash": "a", "resize": "none", "dim": 64, "dtype": "float32", "test_error": 0.5}
    protocol = {"real": real, "generated": made, "held_out": None, "features": features, "versions": {"gantk": "0.1.0"}}
    score = {
        "metric": "gantk:prdc",
        "options": {"k": 3},
        "figures": {"precision": 0.5, "x": "NaN"},
        "protocol": protocol,
        "seconds": 1.5,
        "when": "2026",
    }
    best = {"step": 2, "figure": "prdc/coverage", "value": 0.5}
    way = {"precision": "32-true", "memory_format": "channels_last", "step": 0, "stage": "game", "images": 8}
    chosen = {**way, "device": "cpu", "seconds": {"32-true": 0.2, "32-true, channels_last": 0.1}, "why": ""}

    def read(data: bytes, folder: Path) -> None:
        run = Run(folder)
        run.checkpoints_folder.mkdir(exist_ok=True)
        run.model_toml.touch()
        scores_file(folder).write_bytes(data)
        run.best_file.write_bytes(data)
        run.precision_file.write_bytes(data)
        each_of(run.best, lambda: str(read_chosen(run)), lambda: newest_figures(read_scores(scores_file(folder))))

    return Reader(
        [json.dumps([score, score]).encode(), json.dumps(best).encode(), json.dumps(chosen).encode()],
        read,
        [b'"step"', b'"value"', b'"figures"', b'"seconds"'],
    )
