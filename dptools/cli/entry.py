"""Run a command: report errors on one line, print no traceback for a closed pipe, and on ^C end by SIGINT."""

import logging
import os
import signal
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import takewhile
from typing import Any, NoReturn

import typer

from dptools.cli.options import tool_name
from dptools.errors import DptoolsError, SetupError, UsageError
from dptools.texts import printable


def new_app(function: Callable[..., None]) -> typer.Typer:
    """Return a program with one command and plain help.

    Args:
        function: The command.
    """
    app = typer.Typer(rich_markup_mode=None, pretty_exceptions_enable=False, add_completion=False)
    epilog = f"Full documentation and examples: man {tool_name()}"
    app.command(context_settings={"help_option_names": ["-h", "--help"]}, epilog=epilog)(function)
    return app


def report(message: str) -> None:
    """Write the name of the tool and a message to standard error, on one line."""
    try:
        sys.stderr.write(f"{tool_name()}: {printable(message)}\n")
        sys.stderr.flush()
    except OSError:  # standard error may be closed; the record holds the message too
        # Python keeps what it could not write, and would fail again when it starts a process.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)


def check_input(ctx: typer.Context, operands: list[str] | None, advice: str) -> None:
    """Check that there is input: operands, or standard input that is not a terminal.

    Args:
        ctx: The command, for its usage.
        operands: The operands.
        advice: The part of the message that tells the user what to do.

    Raises:
        UsageError: There is no input.
    """
    if not operands and sys.stdin.isatty():
        sys.stderr.write(ctx.get_usage() + "\n")
        raise UsageError(f"no input: {advice}")


@contextmanager
def errors_on_one_line(debug: bool) -> Iterator[None]:
    """Report a :class:`DptoolsError` on one line, and exit with its status. Warnings are reported in the same form.

    Args:
        debug: Whether to show a traceback first.
    """
    if debug:
        os.environ["DPTOOLS_DEBUG"] = "1"  # the workers inherit it
    logger, reporter = logging.getLogger("dptools"), _WarningReporter(logging.WARNING)
    logger.addHandler(reporter)
    try:
        yield
    except DptoolsError as error:
        if debug:
            traceback.print_exception(error)
        report(str(error))
        raise typer.Exit(error.exit_status) from None
    finally:
        logger.removeHandler(reporter)


class _WarningReporter(logging.Handler):
    """Reports each warning on one line."""

    def emit(self, record: logging.LogRecord) -> None:
        report(record.getMessage())


def main(app: typer.Typer) -> NoReturn:
    """Run a tool, and exit.

    If the reader of standard output closes the pipe, the status is 1, without a message. On ^C, the process ends by
    the signal itself, so that a shell loop around it ends too.
    """
    status: Any = 0
    try:
        _open_closed_streams()
        app()
    except SystemExit as end:
        status = end.code
        if status == UsageError.exit_status:
            _explain_leading_dash()
    except BrokenPipeError:
        status = 1
    except OSError as error:
        where = f"{printable(str(error.filename)[:200])}: " if error.filename else ""
        report(where + (error.strerror or str(error)))
        status = 1
    if status == 130:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGINT)
    sys.exit(_flush_stdout(status))


def _explain_leading_dash() -> None:
    """If an argument that was taken for an option is the name of a file, report how to name that file."""
    for argument in takewhile(lambda argument: argument != "--", sys.argv[1:]):
        if len(argument) > 1 and argument.startswith("-") and os.path.lexists(argument):
            report(f"{argument} begins like an option: to name the file, write ./{argument}, or -- before all operands")
            return


def _open_closed_streams() -> None:
    """Open the standard streams that the caller closed (``<&-``).

    Without this, the next file that is opened would get the number of a standard stream. Standard input becomes empty;
    writing to standard output fails.
    """
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            os.dup2(os.open(os.devnull, os.O_WRONLY if name == "stderr" else os.O_RDONLY), number)
            os.set_inheritable(number, True)
            setattr(sys, name, open(number, "r" if name == "stdin" else "w", closefd=False))  # noqa: SIM115


def _flush_stdout(status: Any) -> Any:
    """Flush standard output, and return the exit status.

    If the pipe is closed, status 0 becomes 1. If flushing fails for another reason, the status is 3. Without this
    function, the interpreter would flush at exit, print a traceback and exit with status 120.
    """
    try:
        sys.stdout.flush()
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        if isinstance(error, BrokenPipeError):
            return status or 1
        if status != SetupError.exit_status:  # otherwise it was reported before
            report(f"write error: {error.strerror}")
        return SetupError.exit_status
    return status
