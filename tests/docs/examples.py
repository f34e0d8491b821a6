"""Extract the commands that the documentation shows, and run them in one shell."""

import os
import re
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Any

RESULT = re.compile(r"\d+\.\d+(?= %)|(?<=norm up to )0\.\d+|(?<=radius of )0\.\d+|(?<=suspicion )0\.\d+")
"""A number that does not depend on the machine, but for rounding."""

ROFF_ESCAPES = {"aq": "'", "ha": "^", "-": "-", "e": "\\"}


@dataclass(frozen=True)
class Example:
    """A command of the documentation.

    Attributes:
        command: The command, which can have several lines.
        output: The output that the documentation shows; None if it shows none.
    """

    command: str
    output: str | None = None

    def with_replacements(self, replacements: dict[str, str]) -> "Example":
        """Return the example with some texts of the command replaced."""
        command = self.command
        for old, new in replacements.items():
            command = command.replace(old, new)
        return replace(self, command=command)


@dataclass(frozen=True)
class Result:
    """The exit status and the output of an example that was run."""

    example: Example
    status: int
    stdout: str
    stderr: str


def examples_of_markdown(text: str) -> Iterator[Example]:
    """Yield the examples of a Markdown text.

    A block fenced as ``sh`` holds commands without output. A block fenced as ``console`` holds commands after a ``$``,
    each followed by its output.
    """
    for language, block in re.findall(r"^```(\w+)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL):
        if language == "sh":
            yield from (Example(re.sub(r"\s{2,}# .*", "", command)) for command in _commands(block.splitlines()))
        if language == "console":
            yield from _session(block.splitlines())


def examples_of_man(text: str) -> Iterator[Example]:
    """Yield the examples of a manual page: commands after a ``$`` in the displays of its EXAMPLES section."""
    _, _, section = text.partition(".Sh EXAMPLES\n")
    section = section.partition("\n.Sh ")[0]
    for line, block in re.findall(r"^\.Dl (.*)|^\.Bd -literal.*\n((?:.*\n)*?)\.Ed", section, re.MULTILINE):
        plain = re.sub(r"\\\((aq|ha)|\\([-e])", lambda match: ROFF_ESCAPES[match[1] or match[2]], line or block)
        yield from _session(plain.splitlines())


def run(examples: Sequence[Example], directory: Path, environment: dict[str, str]) -> list[Result]:
    """Run all examples in one shell, in this directory, with a terminal as standard output.

    Args:
        examples: They run one after another, so that later ones find the files of earlier ones.
        directory: The working directory.
        environment: The environment variables.

    Returns:
        One result for each example.
    """
    parts = [
        f"echo '@@{number}'; echo '@@{number}' >&2\n{example.command}\necho \"@@=$?\""
        for number, example in enumerate(examples)
    ]
    script = "set -o pipefail\n" + "\n".join(parts)
    with tempfile.TemporaryFile("w+") as log:
        stdout = _run_in_terminal(["bash", "-c", script], log, cwd=directory, env=environment)
        log.seek(0)
        stderr = log.read()
    stdouts, stderrs = (re.split(r"^@@\d+\n", text, flags=re.MULTILINE)[1:] for text in (stdout, stderr))
    assert len(stdouts) == len(stderrs) == len(examples), stderr[-2000:]
    return [_result(*parts) for parts in zip(examples, stdouts, stderrs, strict=True)]


def agree(printed: str, shown: str) -> bool:
    """Return whether a page shows what was printed: the same words, and about the same results.

    Percentages, radii and suspicions may differ a little between machines; other numbers, such as times, may differ. If
    no number differs, the spaces are the same, too: otherwise, columns may have other widths.
    """
    if re.sub(r"\s+", "", printed) == re.sub(r"\s+", "", shown):
        return _lines(printed) == _lines(shown)
    results = [[float(number) for number in RESULT.findall(text)] for text in (printed, shown)]
    return _words(printed) == _words(shown) and all(
        abs(one - other) <= (5 if max(one, other) > 1 else 0.02) for one, other in zip(*results, strict=True)
    )


def _lines(text: str) -> list[str]:
    return [line.rstrip() for line in text.strip().splitlines()]


def _words(text: str) -> list[list[str]]:
    """Return the words of each line, with every number replaced by 0."""
    return [re.sub(r"[-+]?\d[\d.]*(e[-+]\d+)?", "0", line).split() for line in text.strip().splitlines()]


def _session(lines: Sequence[str]) -> Iterator[Example]:
    """Yield the commands of a session, each with the output that follows it."""
    starts = [number for number, line in enumerate(lines) if line.startswith("$ ")]
    for start, end in zip(starts, [*starts[1:], len(lines)], strict=True):
        session = [lines[start][2:], *lines[start + 1 : end]]
        command = next(_commands(session))
        output = "\n".join(session[command.count("\n") + 1 :])
        yield Example(command, output or None)


def _commands(lines: Sequence[str]) -> Iterator[str]:
    """Yield commands, joined with their continuation lines and here-documents that end in END."""
    pending: list[str] = []
    for line in lines:
        pending.append(line)
        text = "\n".join(pending)
        if line.endswith(("\\", "|")) or ("<<'END'" in text and line != "END") or not line.strip():
            continue
        yield text.strip("\n")
        pending = []


def _run_in_terminal(command: list[str], log: IO[str], **options: Any) -> str:
    """Return what a command writes to a terminal; its standard error goes to the log."""
    controller, terminal = os.openpty()
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=terminal, stderr=log, **options):
        os.close(terminal)
        chunks = []
        with suppress(OSError):  # Linux reports a terminal that no process has open as an error.
            while chunk := os.read(controller, 65536):
                chunks.append(chunk)
    os.close(controller)
    return b"".join(chunks).decode().replace("\r\n", "\n")


def _result(example: Example, stdout: str, stderr: str) -> Result:
    output, _, status = stdout.rpartition("@@=")
    return Result(example, int(status), output, stderr)
