"""`gantk show`: show one plugin, its options, what it needs and what it provides."""

from __future__ import annotations

import sys
from typing import Any

import click

__all__ = ["command"]


@click.command("show")
@click.argument("kind", metavar="[KIND]")
@click.argument("name", required=False)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(kind: str, name: str | None, as_json: bool) -> None:
    """Show a plugin: what it is, its paper, its options, what it needs and provides.

    \b
    gantk show noise de
    gantk show degan-mnist
    """
    import json
    from contextlib import redirect_stdout

    from gantk.errors import UsageError
    from gantk.kinds import KINDS
    from gantk.report.named import kind_of
    from gantk.report.plugin import describe, describe_text

    if name is None:
        kind, name = kind_of(kind), kind
    elif kind not in KINDS and name in KINDS:
        raise UsageError(f"expected the kind before the name: gantk show {name} {kind}.")

    with redirect_stdout(sys.stderr):  # a plugin that prints when it is imported must not spoil the JSON
        description: dict[str, Any] = describe(kind, name)
    click.echo(json.dumps(description, indent=2) if as_json else describe_text(description))
