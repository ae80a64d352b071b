"""The entry point of the command line, `gantk` or `python -m gantk`."""

from __future__ import annotations

from gantk.interrupts import handle

__all__ = ["main"]


def main() -> None:
    """Run the command line. Ctrl-C is handled before the first import that takes time."""
    handle()
    from gantk.cli.main import main as run

    run()


if __name__ == "__main__":
    main()
