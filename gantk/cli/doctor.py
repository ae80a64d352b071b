"""`gantk doctor`: describe this installation and check that its pieces work."""

from __future__ import annotations

import sys

import click

__all__ = ["command"]


@click.command("doctor")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(as_json: bool) -> None:
    """Show versions, devices, native code, data roots and the state of every plugin.

    Exits with status 1 if a plugin or a package's metadata is broken.
    """
    import json
    from contextlib import redirect_stdout

    from gantk.report.doctor import examine, examine_text

    with redirect_stdout(sys.stderr):  # a plugin that prints when it is imported must not spoil the JSON
        findings = examine()
    click.echo(json.dumps(findings, indent=2) if as_json else examine_text(findings))
    if findings["unreadable"] or any(plugin["state"] != "ok" for plugin in findings["plugins"]):
        raise click.exceptions.Exit(1)
