"""`gantk.reproduce`: train what a reproduction needs, measure it, and put it beside the paper's numbers."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import torch

from gantk.building.construct import construct
from gantk.errors import GantkError, Interrupted, RunError, UsageError, WorkError, briefly
from gantk.evaluation.columns import Cell
from gantk.evaluation.evaluate import evaluate
from gantk.evaluation.protocol import Protocol, shared_line
from gantk.evaluation.sides import Progress
from gantk.files import place, replace_file
from gantk.reproducing.plan import Plan, default_name, file_name
from gantk.reproducing.table import Reproduced
from gantk.reproduction import Column, Row, reproduction
from gantk.run.chosen import precision_of
from gantk.run.entries import read_log
from gantk.run.folder import Run
from gantk.run.machine import processor
from gantk.seeds import check_seed
from gantk.sweeps.folder import build_missing, check_record, states, write_record
from gantk.sweeps.work import Allowed, train_all

__all__ = ["reproduce"]

FILE, RESULT = "reproduction.toml", "result"

Say = Callable[[str], object]


def reproduce(
    name: str,
    output: str | os.PathLike[str] | None = None,
    *,
    quick: bool = False,
    seeds: Sequence[int] | None = None,
    data: str | None = None,
    jobs: int = 1,
    say: Say | None = None,
    progress: Progress | None = None,
) -> Reproduced:
    """Reproduce a table or figure of a paper: train its models, measure them, and compare with the paper's numbers.

    What is finished is not repeated: the same call resumes after an interruption::

        print(gantk.reproduce("degan/table5", quick=True))

    Args:
        name: the reproduction, as `gantk list reproduction` shows it.
        output: the folder of runs, pictures and results (`result.md`, `result.json`); by default, named after the
            reproduction in `reproductions`.
        quick: scale it down, to see what it does; the result says how.
        seeds: random seeds, in place of the reproduction's own; each trains every model.
        data: the data set, such as `mnist:path=…`, in place of the reproduction's own.
        jobs: number of models that are trained at once.
        say: receives progress messages.
        progress: receives the progress of evaluations.

    Returns:
        the table, with the paper's numbers, and what failed.

    Raises:
        UnknownName, BrokenPlugin: there is no such reproduction, or its TOML cannot be read.
        UsageError: a build is refused, the extractor cannot be made, or the folder contains something else.
        Interrupted: a signal stopped it; what is finished is kept.
    """
    plugin, what = reproduction(name)
    if quick and what.quick is None:
        raise UsageError(f"reproduction '{plugin.name}' cannot be scaled down: leave out --quick.")
    own = what.quick.seeds if quick and what.quick is not None else what.seeds
    chosen = tuple(dict.fromkeys(map(check_seed, own if seeds is None else seeds)))
    if not chosen:
        raise UsageError("the list of seeds is empty.")
    default = Path("reproductions", default_name(plugin, quick))
    plan = Plan(plugin, what, default if output is None else place(output), quick, chosen, data or "")
    return _Work(plan, say or (lambda text: None), progress, jobs).done()


class _Work:
    """The work and what came of it so far."""

    def __init__(self, plan: Plan, say: Say, progress: Progress | None, jobs: int) -> None:
        self.plan, self.say, self.progress, self.jobs = plan, say, progress, jobs
        self.values: dict[str, dict[str, list[float]]] = {name: {} for name in plan.what.rows}
        self.protocols: dict[str, list[Protocol]] = {}
        self.pictures: list[tuple[str, str]] = []
        self.failed: dict[str, str] = {}

    def done(self) -> Reproduced:
        plan = self.plan
        check_record(plan.folder / FILE, "reproduction", plan.record())
        runs = self._trained()
        for (name, seed), run in runs.items():
            with self._noting(f"{name}, seed {seed}"):
                self._measure(name, plan.what.rows[name], run)
        for name, row in plan.what.rows.items():
            if row.command:
                with self._noting(name):
                    self._command(name, row)
        self._draw(runs)
        cells = {
            row: {title: Cell(tuple(values)) for title, values in columns.items()}
            for row, columns in self.values.items()
        }
        lines = tuple(f"{metric}: {shared_line(each)}" for metric, each in self.protocols.items())
        found = Reproduced(
            plan.plugin.name,
            plan.what,
            cells,
            lines,
            tuple(self.pictures),
            plan.quick,
            self._made(runs.values()),
            dict(self.failed),
        )
        self._write(found)
        return found

    @contextmanager
    def _noting(self, what: str) -> Iterator[None]:
        """Note what failed; the rest goes on."""
        try:
            yield
        except Interrupted:
            raise
        except GantkError as error:
            self.failed[what] = briefly(error)
            self.say(f"{what} failed: {self.failed[what]}")

    def _trained(self) -> dict[tuple[str, int], Run]:
        """The finished run of each row and seed; all are built before the first is trained."""
        rows, source = self.plan.what.rows, self.plan.source()
        own = self._built(self.plan, [name for name, row in rows.items() if row.recipe])
        others = own if source is self.plan else self._built(source, [row.of for row in rows.values() if row.of])
        runs = {
            (name, seed): (others if row.of else own)[row.of or name, seed]
            for seed in self.plan.seeds
            for name, row in rows.items()
            if not row.command
        }
        todo = [run for run, state in states([*dict.fromkeys(runs.values())]) if state.state != "finished"]
        if todo:
            self._check_extractor(todo[0])
        # A reproduction is no user: only --data can ask for a download.
        failed = train_all(todo, self.jobs, self.say, Allowed.by({"data": self.plan.data}, ()))
        self.failed |= failed
        return {key: run for key, run in runs.items() if str(run) not in failed}

    def _built(self, plan: Plan, rows: Sequence[str]) -> dict[tuple[str, int], Run]:
        """The runs of some rows of a reproduction; the missing ones are created."""
        builds = plan.builds(rows)
        record = plan.folder / FILE
        check_record(record, "reproduction", plan.record())
        runs = build_missing(
            plan.folder / "runs", [*builds.values()], (), lambda: write_record(record, plan.record()), self.say
        )
        return dict(zip(builds, runs, strict=True))

    def _check_extractor(self, run: Run) -> None:
        """Make the extractor once before hours of training, since a package or data set may be missing."""
        what = self.plan.what
        if what.extractor and "{run}" not in what.extractor and any(not column.stage for column in what.columns):
            construct(
                "extractor", self.plan.filled(what.extractor), image_shape=tuple(run.spec()["shape"]["image_shape"])
            )

    def _measure(self, name: str, row: Row, run: Run) -> None:
        """Add the figures of a trained model to a row."""
        what = self.plan.what
        figures: dict[str, float] = {}
        if any(not column.stage for column in what.columns):
            self.say(f"evaluating {run}")
            found = evaluate(
                run,
                metrics=list(what.metrics),
                extractor=self.plan.filled(what.extractor).replace("{run}", str(run)) or None,
                n=self.plan.samples,
                refine=row.refined,
                progress=self.progress,
            )
            figures = {
                f"{each.metric.rpartition(':')[2]}/{name}": value
                for each in found
                for name, value in each.figures.items()
            }
            figures |= found.figures()
            for score in found:
                self.protocols.setdefault(score.name, []).append(score.protocol)
        entries = read_log(run.log_file)
        for column in what.columns:
            if not column.stage and column.figure not in figures:
                raise WorkError(f"it has no figure {column.figure}, only {', '.join(figures) or 'none'}")
            value = _logged(entries, column) if column.stage else figures[column.figure]
            if value is not None:
                self.values[name].setdefault(column.title, []).append(column.scale * value)

    def _command(self, name: str, row: Row) -> None:
        """Run the command of a row, and read its figures and its picture, if it draws one."""
        file = self.plan.folder / f"{file_name(name)}.png"
        words = [*row.command, *(row.quick if self.plan.quick else ())]
        words = [self.plan.filled(word).replace("{file}", str(file)) for word in words]
        self.say(f"running gantk {shlex.join(words)}")
        found = json.loads(_run(words))
        for column in self.plan.what.columns:
            self.values[name][column.title] = [column.scale * _at(found, column.figure)]
        if file.exists():
            self.pictures.append((name, file.name))

    def _draw(self, runs: Mapping[tuple[str, int], Run]) -> None:
        for number, picture in enumerate(self.plan.what.pictures, 1):
            for name in picture.rows or self.plan.what.with_models:
                run = runs.get((name, self.plan.seeds[0]))
                if run is None:  # its training failed, which has been said
                    continue
                file = self.plan.folder / f"{number}-{file_name(name)}.png"
                with self._noting(f"{picture.title}, {name}"):
                    words = [word.replace("{run}", str(run)).replace("{file}", str(file)) for word in picture.command]
                    self.say(f"running gantk {shlex.join(words)}")
                    _run(words)
                    self.pictures.append((f"{picture.title}: {name}", file.name))

    def _made(self, runs: Iterable[Run]) -> str:
        gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else ""
        threads = torch.get_num_threads()
        when = datetime.now(timezone.utc).date()
        precisions = sorted({precision_of(run) for run in runs})
        trained = f", trained in {' and '.join(precisions)}" if precisions else ""
        return (
            f"Made by `{self.plan.command()}` on {when}: gantk {self.plan.plugin.version}, torch {torch.__version__}, "
            f"{gpu or processor()}, {threads} thread{'s' * (threads != 1)}{trained}."
        )

    def _write(self, found: Reproduced) -> None:
        values = {
            row: {title: list(cell.values) for title, cell in columns.items()} for row, columns in found.cells.items()
        }
        written = {
            "reproduction": found.name,
            "quick": found.quick,
            "seeds": self.plan.seeds,
            "values": values,
            "paper": {name: dict(row.paper) for name, row in self.plan.what.rows.items()},
            "protocols": found.protocols,
            "failed": dict(found.failed),
            "made": found.made,
        }
        try:
            replace_file(self.plan.folder / f"{RESULT}.json", json.dumps(written, indent=1).encode())
            replace_file(self.plan.folder / f"{RESULT}.md", str(found).encode())
        except OSError as error:
            raise RunError(f"{self.plan.folder} cannot be written: {error.strerror or error}.") from error


def _logged(entries: Sequence[Mapping[str, Any]], column: Column) -> float | None:
    """A column's figure in a log; `None` if the training was too short for it."""
    lines = [e for e in entries if e.get("stage") == column.stage and column.figure in e["values"]]
    values = [e["values"][column.figure] for e in lines if column.step in (0, e.get("stage_step"))]
    return float(values[-1]) if values else None


def _run(words: Sequence[str]) -> str:
    """What a command of gantk prints.

    Raises:
        WorkError: it failed; the message is its own.
    """
    done = subprocess.run([sys.executable, "-m", "gantk", *words], capture_output=True, text=True)
    if done.returncode:
        said = done.stderr.strip().splitlines() or [f"exit status {done.returncode}"]
        raise WorkError(said[-1].removeprefix("gantk: ").removeprefix("error: "))
    return done.stdout


def _at(found: Any, path: str) -> float:
    """The number at a path of parsed JSON, such as `estimate.value`.

    Raises:
        WorkError: there is none.
    """
    for key in path.split("."):
        found = found.get(key) if isinstance(found, Mapping) else None
    if isinstance(found, bool) or not isinstance(found, (int, float)):
        raise WorkError(f"its JSON has no number {path}")
    return float(found)
