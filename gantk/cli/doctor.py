"""`gantk doctor`: describe this installation and check that its pieces work, or check the files of a run."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from gantk.cli.shared import PLACE

__all__ = ["command"]


@click.command("doctor")
@click.argument("run", type=PLACE, required=False)
@click.option("--check", is_flag=True, help="Compare native code with plain torch, on every device.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(run: Path | None, check: bool, as_json: bool) -> None:
    """Check this installation, or the files of a RUN.

    Without RUN: versions, devices, native code, data roots and the state of every plugin; with --check, whether native
    code gives the results of plain torch, for every instruction set of the CPU and every GPU. With RUN: its files, and
    which are damaged. Exits with status 1 if a plugin, a package's metadata, native code or a file is broken.
    """
    from contextlib import redirect_stdout

    from gantk.errors import UsageError

    if check and run is not None:
        raise UsageError("--check is about this installation, not about a run: gantk doctor --check.")

    with redirect_stdout(sys.stderr):  # a plugin that prints when it is imported must not spoil the JSON
        found, text, whole = _compared() if check else _installation() if run is None else _files(run)
    click.echo(json.dumps(found, indent=2) if as_json else text)
    if not whole:
        raise click.exceptions.Exit(1)


def _installation() -> tuple[Any, str, bool]:
    from gantk.report.doctor import examine, examine_text

    found = examine()
    return found, examine_text(found), not found["unreadable"] and all(p["state"] == "ok" for p in found["plugins"])


def _files(path: Path) -> tuple[Any, str, bool]:
    from gantk.report.checked import checked, findings_text
    from gantk.run.located import located

    run = located(path)[0]
    found = checked(run)
    return [asdict(each) for each in found], findings_text(run, found), not any(each.damaged for each in found)


def _compared() -> tuple[Any, str, bool]:
    from gantk.report.native_check import compared, compared_text

    found = compared()
    return [asdict(each) for each in found], compared_text(found), not any(each.fault for each in found)
