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
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(run: Path | None, as_json: bool) -> None:
    """Check this installation, or the files of a RUN.

    Without RUN: versions, devices, native code, data roots and the state of every plugin. With RUN: its files, and
    which are damaged. Exits with status 1 if a plugin, a package's metadata or a file is broken.
    """
    from contextlib import redirect_stdout

    with redirect_stdout(sys.stderr):  # a plugin that prints when it is imported must not spoil the JSON
        found, text, whole = _installation() if run is None else _files(run)
    click.echo(json.dumps(found, indent=2) if as_json else text)
    if not whole:
        raise click.exceptions.Exit(1)


def _installation() -> tuple[Any, str, bool]:
    from gantk.report.doctor import examine, examine_text

    found = examine()
    return found, examine_text(found), not found["unreadable"] and all(p["state"] == "ok" for p in found["plugins"])


def _files(path: Path) -> tuple[Any, str, bool]:
    from gantk.report.checked import checked, findings_text
    from gantk.run.folder import located

    run = located(path)[0]
    found = checked(run)
    return [asdict(each) for each in found], findings_text(run, found), not any(each.damaged for each in found)
