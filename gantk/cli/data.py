"""`gantk data`: prepare data sets for training."""

from __future__ import annotations

import click

from gantk.cli.shared import counted, progress_bar, say

__all__ = ["command"]


@click.command("data")
@click.argument("action", type=click.Choice(["cache"]))
@click.argument("data", metavar="DATA")
def command(action: str, data: str) -> None:
    """Prepare a data set for training.

    gantk data cache DATA decodes all images of DATA, a data plugin as for gantk build --data, and stores them in the
    cache (GANTK_CACHE, by default ~/.cache/gantk). As long as its files and options are the same, trainings and other
    commands then start without decoding. The cache can be deleted at any time.

    gantk data cache photos:size=64
    """
    from gantk.building.construct import construct
    from gantk.building.given import named
    from gantk.data import cache_folder

    source = construct("data", named("data", data))
    with progress_bar("decoding images") as progress:
        kept = source.keep(progress)
    shape = " × ".join(map(str, source.image_shape))
    if kept:
        say(f"{counted(len(source), 'image')} of {shape} decoded in {cache_folder()}")
    else:
        say(f"nothing to decode: {data} is read as it is")
