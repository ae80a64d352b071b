"""`gantk show`: one plugin, its options, what it needs and what it provides."""

from __future__ import annotations

import sys
from typing import Any

import click

__all__ = ["command"]


@click.command("show")
@click.argument("kind")
@click.argument("name")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(kind: str, name: str, as_json: bool) -> None:
    """Show a plugin: what it is, its paper, its options, what it needs and provides.

    \b
    gantk show noise de
    gantk show recipe degan-mnist
    """
    import json
    from contextlib import redirect_stdout

    from gantk.report.plugin import describe, describe_text

    with redirect_stdout(sys.stderr):  # a plugin that prints when it is imported must not spoil the JSON
        description: dict[str, Any] = describe(kind, name)
    click.echo(json.dumps(description, indent=2) if as_json else describe_text(description))
