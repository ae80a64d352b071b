"""`gantk`: the command group, and how errors reach a person."""

from __future__ import annotations

import importlib
import os
import sys
import traceback
from typing import Any

import click

from gantk.errors import GantkError, Interrupted, UsageError, nearest

__all__ = ["main"]

COMMANDS = {
    "list": "list_",
    "show": "show",
    "build": "build",
    "train": "train",
    "sample": "sample",
    "interpolate": "interpolate",
    "doctor": "doctor",
}
"""Command → its module in `gantk.cli`, in the order of the help."""


class Commands(click.Group):
    """Imports a command's module when it is needed, and gives every command `--debug`."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = importlib.import_module(f"gantk.cli.{COMMANDS[cmd_name]}").command
        if not any(param.name == "debug" for param in command.params):
            command.params.append(_debug_option())
        return command

    def resolve_command(self, ctx: click.Context, args: list[str]) -> Any:
        if args and args[0] not in COMMANDS and not args[0].startswith("-"):
            raise UsageError(f"there is no command '{args[0]}'.{nearest(args[0], COMMANDS)}")
        return super().resolve_command(ctx, args)


def _debug_option() -> click.Option:
    return click.Option(["--debug"], is_flag=True, expose_value=False, help="Show the traceback of an error.")


@click.group(cls=Commands, params=[_debug_option()], context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="gantk")
def cli() -> None:
    """Put a GAN together from parts, train it, and draw images from it.

    Start with: gantk build --noise de --loss hidden -o runs/first, then gantk train runs/first.
    """


def main() -> None:
    """The entry point: exits 0, 1 (the work failed), 2 (the request cannot be met) or 128 + a signal's number."""
    debug = "--debug" in sys.argv[1:]
    try:
        sys.exit(cli.main(standalone_mode=False) or 0)
    except (GantkError, click.ClickException) as error:
        if debug:
            traceback.print_exc()
        _say("" if isinstance(error, Interrupted) else "error: ", error)
        sys.exit(_status(error))
    except (click.Abort, KeyboardInterrupt):
        _say("", "stopped")
        sys.exit(130)
    except BrokenPipeError:
        # The reader has gone (`gantk list | head`); Python would complain again when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except Exception as error:
        if debug:
            raise
        _say("internal error: ", f"{type(error).__name__}: {error}; run it again with --debug to see where.")
        sys.exit(1)


def _say(prefix: str, error: object) -> None:
    message = error.format_message() if isinstance(error, click.ClickException) else str(error)
    print(f"gantk: {prefix}{' '.join(message.split())}", file=sys.stderr)


def _status(error: Exception) -> int:
    if isinstance(error, Interrupted):
        return 128 + error.signal_number
    return 2 if isinstance(error, (UsageError, click.ClickException)) else 1
