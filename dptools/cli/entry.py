"""From a command line to an exit status: errors on one line, broken pipes without noise, ^C as a signal."""

import os
import signal
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, NoReturn

import typer

from dptools.cli.options import tool_name
from dptools.errors import DptoolsError, SetupError, UsageError
from dptools.texts import printable


def new_app(function: Callable[..., None]) -> typer.Typer:
    """A program with one command: plain help, errors on one line."""
    app = typer.Typer(rich_markup_mode=None, pretty_exceptions_enable=False, add_completion=False)
    more = f"Examples, and all that there is to know: man {tool_name()}"
    app.command(context_settings={"help_option_names": ["-h", "--help"]}, epilog=more)(function)
    return app


def report(message: str) -> None:
    """One line on standard error, after the tool's name."""
    with suppress(OSError):  # nobody reads it; the record says it too
        sys.stderr.write(f"{tool_name()}: {printable(message)}\n")
        sys.stderr.flush()


def check_input(ctx: typer.Context, operands: list[str] | None, advice: str) -> None:
    """Raises:
    UsageError: there are no operands, and standard input is a terminal.
    """
    if not operands and sys.stdin.isatty():
        sys.stderr.write(ctx.get_usage() + "\n")
        raise UsageError(f"no input: {advice}")


@contextmanager
def errors_on_one_line(debug: bool) -> Iterator[None]:
    """Errors that are meant for users become one line and their exit status; with debug, a traceback before it."""
    if debug:
        os.environ["DPTOOLS_DEBUG"] = "1"  # the workers inherit it
    try:
        yield
    except DptoolsError as error:
        if debug:
            traceback.print_exception(error)
        report(str(error))
        raise typer.Exit(error.exit_status) from None


def main(app: typer.Typer) -> NoReturn:
    """Run a tool to its exit status.

    A reader that goes away ends it with 1 and no noise. ^C ends it by the signal itself, so that shell loops end too.
    """
    status: Any = 0
    try:
        _open_closed_streams()
        app()
    except SystemExit as end:
        status = end.code
    except BrokenPipeError:
        status = 1
    except OSError as error:
        where = f"{printable(str(error.filename)[:200])}: " if error.filename else ""
        report(where + (error.strerror or str(error)))
        status = 1
    if status == 130:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGINT)
    sys.exit(_flushed(status))


def _open_closed_streams() -> None:
    """A stream that the caller closed (``<&-``) is empty, and cannot be written to; the next file opened would get
    its number otherwise."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            os.dup2(os.open(os.devnull, os.O_WRONLY if name == "stderr" else os.O_RDONLY), number)
            os.set_inheritable(number, True)
            setattr(sys, name, open(number, "r" if name == "stdin" else "w", closefd=False))  # noqa: SIM115


def _flushed(status: Any) -> Any:
    """The status, or another when what was left to write could not be: 1 if nobody reads it any more, else 3. The
    interpreter would say so in its own noisy way."""
    try:
        sys.stdout.flush()
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        if isinstance(error, BrokenPipeError):
            return status or 1
        if status != SetupError.exit_status:  # else it has been said
            report(f"write error: {error.strerror}")
        return SetupError.exit_status
    return status
