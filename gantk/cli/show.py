"""`gantk show`: show a plugin with its options, needs and offers, or a run with its parts and progress."""

from __future__ import annotations

import os
import sys
from typing import Any

import click

__all__ = ["command"]


@click.command("show")
@click.argument("kind", metavar="[KIND] NAME|RUN")
@click.argument("name", required=False, metavar="")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(kind: str, name: str | None, as_json: bool) -> None:
    """Show a plugin: what it is, its paper, its options, what it needs and provides; or a run: its parts and progress.

    \b
    gantk show noise de
    gantk show degan-mnist
    gantk show runs/faces
    """
    import json
    from contextlib import redirect_stdout

    from gantk.errors import UsageError
    from gantk.files import place
    from gantk.kinds import KINDS
    from gantk.report.named import kind_of
    from gantk.report.one_run import run_json, run_text
    from gantk.report.plugin import describe, describe_text
    from gantk.run.folder import Run

    run = Run(place(kind))
    if name is None and (os.sep in kind or run.model_toml.exists()):
        with redirect_stdout(sys.stderr):
            shown = json.dumps(run_json(run), indent=2, default=str) if as_json else run_text(run)
        click.echo(shown)
        return
    if name is None:
        kind, name = kind_of(kind), kind
    elif kind not in KINDS and name in KINDS:
        raise UsageError(f"expected the kind before the name: gantk show {name} {kind}.")

    with redirect_stdout(sys.stderr):  # a plugin that prints when it is imported must not spoil the JSON
        description: dict[str, Any] = describe(kind, name)
    click.echo(json.dumps(description, indent=2) if as_json else describe_text(description))
