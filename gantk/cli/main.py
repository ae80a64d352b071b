"""`gantk`: the command group and the printing of errors."""

from __future__ import annotations

import importlib
import os
import sys
import warnings
from typing import Any

import click

from gantk import interrupts
from gantk.cli.waiting import choose_waiting
from gantk.errors import GantkError, GantkWarning, Interrupted, UsageError, nearest
from gantk.memory import ran_out, shortage
from gantk.printable import printable_output

__all__ = ["main"]

COMMANDS = {
    "list": "list_",
    "list-runs": "list_runs",
    "show": "show",
    "build": "build",
    "train": "train",
    "sample": "sample",
    "explore": "explore",
    "interpolate": "interpolate",
    "reconstruct": "reconstruct",
    "evaluate": "evaluate",
    "neighbors": "neighbors",
    "noise": "noise",
    "features": "features",
    "export": "export",
    "compare": "compare",
    "report": "report",
    "sweep": "sweep",
    "tune": "tune",
    "reproduce": "reproduce",
    "intrinsic-dim": "intrinsic_dim",
    "data": "data",
    "doctor": "doctor",
}
"""Command → its module in `gantk.cli`, in the order of the help."""

LESS_MEMORY = "end other programs, raise the limit of this process, or use smaller batches, images or networks"


class Commands(click.Group):
    """Imports a command's module when it is needed, and adds `--code`, `--memory` and `--debug` to every command."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = importlib.import_module(f"gantk.cli.{COMMANDS[cmd_name]}").command
        if not any(param.name == "debug" for param in command.params):
            command.params += [_code_option(), _memory_option(), _debug_option()]
        return command

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            raise _Stopped from None

    def resolve_command(self, ctx: click.Context, args: list[str]) -> Any:
        if args and args[0] not in COMMANDS and not args[0].startswith("-"):
            raise UsageError(f"there is no command '{args[0]}'.{nearest(args[0], COMMANDS)}")
        return super().resolve_command(ctx, args)


def _debug_option() -> click.Option:
    return click.Option(["--debug"], is_flag=True, expose_value=False, help="Show the traceback of an error.")


def _code_option() -> click.Option:
    def give(context: click.Context, option: click.Parameter, files: tuple[str, ...]) -> None:
        if files:
            from gantk.building.given import give_file

            for file in files:
                give_file(file)

    return click.Option(
        ["--code"],
        multiple=True,
        metavar="FILE.py",
        expose_value=False,
        is_eager=True,
        callback=give,
        help="Python file whose classes and functions can be used as parts; repeat for several.",
    )


def _memory_option() -> click.Option:
    def allow(context: click.Context, option: click.Parameter, size: str | None) -> None:
        if size is not None:
            from gantk.memory import VARIABLE, as_bytes

            as_bytes(size)
            os.environ[VARIABLE] = size  # further processes of this training inherit it

    return click.Option(
        ["--memory"],
        metavar="SIZE",
        expose_value=False,
        is_eager=True,
        callback=allow,
        help="How much memory a model's weights may take, as 16GB; an eighth of this machine's by default.",
    )


@click.group(
    cls=Commands,
    params=[_debug_option()],
    context_settings={"help_option_names": ["-h", "--help"]},
    invoke_without_command=True,
)
@click.version_option(package_name="gantk")
@click.pass_context
def cli(context: click.Context) -> None:
    """Build a GAN from parts, train it, and generate images with it.

    Start with: gantk build --noise de --loss hidden -o runs/first, then gantk train runs/first.
    """
    if context.invoked_subcommand is None:
        click.echo(context.get_help())


def main() -> None:
    """The entry point. Exit status: 0, 1 (the work failed), 2 (invalid request) or 128 + a signal's number."""
    choose_waiting()  # before torch is loaded
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")  # a path may not be valid text
    with printable_output():
        status = _status_of_command()
        interrupts.say_nothing_more()
        sys.exit(status)


def _status_of_command() -> int:
    warnings.showwarning = _warn
    _said.clear()
    try:
        status = cli.main(prog_name="gantk", standalone_mode=False) or 0
        if sys.stdout is not None:
            sys.stdout.flush()
        return status
    except BrokenPipeError:
        # The reader closed the pipe (`gantk list | head`); Python would fail again when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except (click.Abort, _Stopped, KeyboardInterrupt):
        return _stopped()
    except Exception as error:  # noqa: BLE001 - users see one line, and the traceback with --debug
        if interrupts.asked() and not isinstance(error, Interrupted):
            return _stopped()
        if "--debug" in sys.argv[1:]:
            import traceback

            traceback.print_exc()
        if not (isinstance(error, Interrupted) and error.told):
            _say(_message(error))
        return _status(error)


class _Stopped(BaseException):
    """Ctrl-C; of a `KeyboardInterrupt`, click would make an empty line."""


def _stopped() -> int:
    interrupts.say_nothing_more()
    _say("stopped")
    return interrupts.STATUS


_usual_warning = warnings.showwarning
_said: set[str] = set()


def _warn(message: Warning | str, category: type[Warning], *place: Any, **more: Any) -> None:
    """Print gantk's own warnings on one line, without the code location, and others as Python does."""
    if issubclass(category, GantkWarning):
        if str(message) not in _said:  # one part may be read several times in a command
            _said.add(str(message))
            _say(f"warning: {message}")
    else:
        _usual_warning(message, category, *place, **more)


def _message(error: Exception) -> str:
    if isinstance(error, Interrupted):
        return str(error)
    if isinstance(error, GantkError):
        return f"error: {error}"
    if isinstance(error, click.UsageError) and error.ctx is not None:
        return f"error: {error.format_message().rstrip('.')}; see {error.ctx.command_path} --help."
    if isinstance(error, click.ClickException):
        return f"error: {error.format_message()}"
    if ran_out(error):
        return f"error: {shortage(error)}; {LESS_MEMORY}."
    if isinstance(error, OSError):
        return f"error: {error.filename or 'output'}: {error.strerror or error}."
    return f"internal error: {type(error).__name__}: {error}; run it again with --debug to see where."


def _say(message: str) -> None:
    print(f"gantk: {' '.join(message.split())}", file=sys.stderr)


def _status(error: Exception) -> int:
    if isinstance(error, Interrupted):
        return 128 + error.signal_number
    return 2 if isinstance(error, (UsageError, click.ClickException)) else 1
