"""Commands that write are killed at every file operation, or every file operation fails once.

    python tests/drills/commands.py
    python tests/drills/commands.py sample --every 7

`build`, `sample` into a picture and into a folder, `interpolate` and `export` are run with SIGKILL, ENOSPC, EIO, EACCES
or EMFILE at one file operation after another. Each must end with at most one line; then either nothing is there, or all
of it, and the same command without a fault gives what it always gives, and leaves nothing unfinished.
"""

from __future__ import annotations

import argparse
import errno
import hashlib
import os
import shutil
import signal
import sys
import tempfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).parents[1]))
from drills import kills
from drills.operations import Operations

from gantk.cli import main as command_line
from gantk.run.folder import Run

SMALL = ["--noise", "gaussian:dim=4", "--generator", "dcgan:width=2", "--discriminator", "dcgan:width=2"]
COMMANDS = {
    "build": ["build", "dcgan", "--data", "digits", *SMALL, "-o", "{out}"],
    "sample": ["sample", "{run}", "-n", "4", "-o", "{out}.png"],
    "sample-folder": ["sample", "{run}", "-n", "4", "-o", "{out}"],
    "interpolate": ["interpolate", "{run}", "-o", "{out}.png"],
    "export": ["export", "{run}", "--format", "hub", "-o", "{out}"],
}
HAPPENINGS: dict[str, Callable[[], None]] = {
    "SIGKILL": kills.killed,
    **{errno.errorcode[number]: kills.failing(number) for number in kills.ERRORS},
}


def content(folder: Path) -> dict[str, str]:
    """Every file of a folder by its digest; what locks is not content."""
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path.name != ".lock")
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def different(found: dict[str, str], expected: dict[str, str]) -> str:
    names = sorted(name for name in {*found, *expected} if found.get(name) != expected.get(name))
    return ", ".join(f"{name} ({'other' if name in found else 'missing'})" for name in names)


class Drill:
    """One command, which writes to a folder of its own."""

    def __init__(self, place: Path, run: Path, words: list[str]) -> None:
        self.folder, self.said = place / "folder", place / "said"
        self.words = [word.format(run=run, out=self.folder / "x") for word in words]
        self.folder.mkdir(parents=True)
        found = Operations(self.folder)
        assert self.command(found) == 0, self.said.read_text()
        self.expected = content(self.folder)
        self.many = self._count()

    def command(self, operations: Operations) -> int:
        def work() -> int:
            sys.argv = ["gantk", *self.words]
            with self.said.open("w") as said:
                os.dup2(said.fileno(), 2)
                os.dup2(said.fileno(), 1)
            with operations.counted():
                return command_line._status_of_command()

        child = os.fork()
        if child == 0:
            code = 99
            try:
                code = work()
                sys.stdout.flush()
                sys.stderr.flush()
            finally:
                os._exit(code)
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])

    def _count(self) -> int:
        """The number of its file operations: the last at which something can happen."""
        self._clear()
        counted = self.folder.with_name("count")
        operations = Operations(self.folder)
        usual = operations.begin

        def begin(name: str) -> None:
            usual(name)
            with open(os.open(counted, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), "w") as file:
                file.write(str(operations.count))

        operations.begin = begin  # type: ignore[method-assign]
        self.command(operations)
        return int(counted.read_text())

    def _clear(self) -> None:
        shutil.rmtree(self.folder)
        self.folder.mkdir()

    def attempt(self, number: int, happens: Callable[[], None]) -> str:
        """What is wrong after something happens at this operation; empty if nothing is."""
        self._clear()
        status = self.command(Operations(self.folder, number, happens))
        said = self.said.read_text(errors="replace")
        errors = [line for line in said.splitlines() if line.startswith("gantk: ")]
        if "Traceback" in said or "internal error" in said or status not in (0, 1, 2, -signal.SIGKILL):
            return f"ended with status {status}: {said[-500:]}"
        if status > 0 and len(errors) != 1:
            return f"said {len(errors)} lines: {said[-500:]}"
        there = {name: digest for name, digest in content(self.folder).items() if ".unfinished" not in name}
        if there and there != self.expected:
            return f"left {different(there, self.expected)}"
        if status == 0 and not there:
            return "nothing was written, and nothing said"
        if not there and (status := self.command(Operations(self.folder))) != 0:
            return f"cannot be repeated: {self.said.read_text()[-500:]}"
        if (built := self.folder / "x" / "model.toml").exists():
            Run(built.parent).clean(keep=1)  # as a training does before it begins
        found = content(self.folder)
        return "" if found == self.expected else f"repeated, left {different(found, self.expected)}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("commands", nargs="*", choices=[*COMMANDS, []], help="by default all")
    parser.add_argument("--every", type=int, default=1, metavar="N", help="at every Nth file operation only")
    args = parser.parse_args()
    torch.set_num_threads(1)
    kills.SETTINGS["stages.game.length"] = "1 step"
    failures = 0
    with tempfile.TemporaryDirectory() as folder:
        run = Path(folder, "run")
        kills.build(run)
        kills.train(run)
        for name in args.commands or COMMANDS:
            drill = Drill(Path(folder, name), run, COMMANDS[name])
            counts: Counter[str] = Counter()
            for number in range(1, drill.many + 1, args.every):
                for what, happens in HAPPENINGS.items():
                    counts["attempts"] += 1
                    if wrong := drill.attempt(number, happens):
                        counts["failures"] += 1
                        print(f"{name}, operation {number}, {what}: {wrong}", flush=True)
            failures += counts["failures"]
            print(f"{name}: {drill.many} operations, {counts['attempts']} attempts, {counts['failures']} failures")
    raise SystemExit(bool(failures))


if __name__ == "__main__":
    main()
