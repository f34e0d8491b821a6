"""The commands that documents show, and a shell that runs them one after the other."""

import os
import re
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Any


@dataclass(frozen=True)
class Example:
    """A command, and what the document says that it prints; None where it does not say."""

    command: str
    printed: str | None = None

    def with_command(self, changes: dict[str, str]) -> "Example":
        """The same, with these texts in place of others."""
        command = self.command
        for old, new in changes.items():
            command = command.replace(old, new)
        return replace(self, command=command)


def of_markdown(text: str) -> Iterator[Example]:
    """Those in blocks fenced as ``sh``, a command a line, or as ``console``, behind a ``$`` with what they print."""
    for kind, block in re.findall(r"^```(\w+)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL):
        if kind == "sh":
            yield from (Example(re.sub(r"\s{2,}# .*", "", command)) for command in _commands(block.splitlines()))
        if kind == "console":
            yield from _session(block.splitlines())


def of_man(text: str) -> Iterator[Example]:
    """Those behind a ``$`` in the displays of a page's EXAMPLES."""
    _, _, examples = text.partition(".Sh EXAMPLES\n")
    examples = examples.partition("\n.Sh ")[0]
    blocks = re.findall(r"^\.Dl (.*)|^\.Bd -literal.*\n((?:.*\n)*?)\.Ed", examples, re.MULTILINE)
    for line, block in blocks:
        plain = re.sub(
            r"\\\((aq|ha)|\\([-e])", lambda m: {"aq": "'", "ha": "^", "-": "-", "e": "\\"}[m[1] or m[2]], line or block
        )
        yield from _session(plain.splitlines())


def _session(lines: Sequence[str]) -> Iterator[Example]:
    """What stands behind a ``$`` is a command, with the lines that it goes on in; the others are printed."""
    starts = [number for number, line in enumerate(lines) if line.startswith("$ ")]
    for start, end in zip(starts, [*starts[1:], len(lines)], strict=True):
        typed = [lines[start][2:], *lines[start + 1 : end]]
        command = next(_commands(typed))
        printed = "\n".join(typed[command.count("\n") + 1 :])
        yield Example(command, printed or None)


def _commands(lines: Sequence[str]) -> Iterator[str]:
    """Commands of one or several lines: those that end in a backslash or a bar, and documents up to their END."""
    waiting: list[str] = []
    for line in lines:
        waiting.append(line)
        text = "\n".join(waiting)
        if line.endswith(("\\", "|")) or ("<<'END'" in text and line != "END") or not line.strip():
            continue
        yield text.strip("\n")
        waiting = []


@dataclass(frozen=True)
class Ran:
    """What became of an example."""

    example: Example
    status: int
    out: str
    err: str


def run(examples: Sequence[Example], directory: Path, environment: dict[str, str]) -> list[Ran]:
    """Type them all into one shell, in this directory, whose standard output is a terminal as a reader's is."""
    parts = [
        f"echo '@@{number}'; echo '@@{number}' >&2\n{example.command}\necho \"@@=$?\""
        for number, example in enumerate(examples)
    ]
    script = "set -o pipefail\n" + "\n".join(parts)
    with tempfile.TemporaryFile("w+") as log:
        out = _in_terminal(["bash", "-c", script], log, cwd=directory, env=environment)
        log.seek(0)
        err = log.read()
    outs, errs = (re.split(r"^@@\d+\n", text, flags=re.MULTILINE)[1:] for text in (out, err))
    assert len(outs) == len(errs) == len(examples), err[-2000:]
    return [_ran(*each) for each in zip(examples, outs, errs, strict=True)]


def _in_terminal(command: list[str], log: IO[str], **options: Any) -> str:
    """What a command writes to a terminal."""
    ours, theirs = os.openpty()
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=theirs, stderr=log, **options):
        os.close(theirs)
        pieces = []
        with suppress(OSError):  # how a terminal ends that nobody has open any more
            while piece := os.read(ours, 65536):
                pieces.append(piece)
    os.close(ours)
    return b"".join(pieces).decode().replace("\r\n", "\n")


def _ran(example: Example, out: str, err: str) -> Ran:
    printed, _, status = out.rpartition("@@=")
    return Ran(example, int(status), printed, err)


def words(text: str) -> list[list[str]]:
    """The lines, without what hangs on the machine: numbers, and the room that they take."""
    return [re.sub(r"[-+]?\d[\d.]*(e[-+]\d+)?", "0", line).split() for line in text.strip().splitlines()]
