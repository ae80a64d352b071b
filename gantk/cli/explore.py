"""`gantk explore`: a local page that moves through a model's noise."""

from __future__ import annotations

from pathlib import Path

import click

from gantk.cli.shared import PLACE, STEP, naming, say

__all__ = ["command"]


@click.command("explore")
@click.argument("run", type=PLACE)
@STEP
@click.option("--data", metavar="PART", help="The training images, if they are in another place than they were.")
@click.option("--port", type=click.IntRange(min=0, max=65535), default=0, help="Port; a free one by default.")
@click.option("--open", "opens", is_flag=True, help="Open the page in the browser.")
def command(run: Path, step: int | None, data: str | None, port: int, opens: bool) -> None:
    """Explore the images of RUN's model in a browser.

    A page on this machine moves through noise with sliders, along the directions that change images the most; walks
    between two points; chooses seeds, classes and conditions; reconstructs images that you drop on it; finds nearest
    training images; and saves what it shows, with the command that draws it again. Nothing leaves this machine: the
    address works here only, and contains a random token. Ctrl-C ends it.
    """
    from gantk.explorer.server import Server
    from gantk.explorer.session import Session
    from gantk.run.located import located

    found, step = located(run, step)
    with naming(found):
        session = Session(found, step, data)
    with Server(session, port) as server:
        say(f"explore {found} at {server.address}")
        say("Ctrl-C ends it")
        if opens:
            click.launch(server.address)
        server.serve_forever()
