"""`gantk list`: list the installed plugins from metadata alone."""

from __future__ import annotations

from collections import Counter

import click

__all__ = ["command"]


@click.command("list")
@click.argument("kind", required=False, metavar="[KIND]")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(kind: str | None, as_json: bool) -> None:
    """List the installed plugins, all or of one KIND.

    Kinds: noise, generator, refiner, discriminator, condition, loss, addon, metric, extractor, data, recipe. With a
    KIND, each is described in one line; recipes also by the score and the cost of a training that was measured. Plugins
    are not imported.
    """
    from gantk.kinds import KINDS
    from gantk.registry import plugins, unreadable
    from gantk.report.listing import score_of, summary_of
    from gantk.report.table import table

    for place, error in unreadable().items():
        click.echo(f"gantk: warning: {place}: this package's plugins cannot be read: {error}", err=True)
    found = [plugin for each in ([kind] if kind else KINDS) for plugin in plugins(each)]
    claims = Counter((plugin.kind, plugin.name) for plugin in found)
    if as_json:
        import json

        keys = ("kind", "name", "package", "version", "target")
        click.echo(json.dumps([{key: getattr(plugin, key) for key in keys} for plugin in found], indent=2))
        return
    rows = []
    for plugin in found:
        clash = f"claimed by several packages: use {plugin.qualified}" if claims[plugin.kind, plugin.name] > 1 else ""
        said = clash or (summary_of(plugin) if kind else "")
        score = (score_of(plugin),) if kind == "recipe" else ()
        rows.append((plugin.kind, plugin.name, f"{plugin.package} {plugin.version}", said, *score))
    head = ("KIND", "NAME", "PACKAGE", "WHAT IT IS" if kind else "", *(("SCORED",) if kind == "recipe" else ()))
    click.echo(table(rows, head) if rows else f"no {kind or 'plugin'} is installed")
