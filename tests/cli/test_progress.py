"""The progress bar: on a terminal, and never in a pipe or a socket."""

import os
import socket
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

Picture = Callable[..., Path]


@pytest.mark.parametrize("redirected", ["file", "pipe"])
def test_progress_is_shown_on_a_terminal_unless_the_records_go_to_a_pipe(
    tmp_path: Path, picture: Picture, environment: dict[str, str], redirected: str
) -> None:
    for number in range(3):
        picture(tmp_path / "imgs" / f"{number}.png", size=(600, 64))
    master, terminal = os.openpty()
    records = {"file": " > records", "pipe": " | cat > records"}[redirected]
    command = "dp-denoise --method zero-shot -j 1 --tile 512 imgs -o out" + records
    settings = {**environment, "TERM": "xterm", "COLUMNS": "120"}
    with subprocess.Popen(
        ["bash", "-c", command], stdin=subprocess.DEVNULL, stderr=terminal, env=settings, cwd=tmp_path
    ) as shell:
        os.close(terminal)
        shown = _read_all(master)
    assert shell.returncode == 0
    if redirected == "pipe":
        assert shown == ""
    else:
        assert all(text in shown for text in ("dp-denoise 3/3", "image", " left", "tile 2 of 2"))


def test_no_progress_is_shown_if_the_records_go_to_a_socket(
    tmp_path: Path, picture: Picture, environment: dict[str, str]
) -> None:
    """So Node.js starts its child processes."""
    picture(tmp_path / "a.png")
    master, terminal = os.openpty()
    ours, theirs = socket.socketpair()
    command = ["dp-denoise", "--method", "median:3", "-j", "1", "a.png", "-o", "out"]
    with (
        ours,
        theirs,
        subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=theirs, stderr=terminal, env=environment, cwd=tmp_path
        ) as tool,
    ):
        os.close(terminal)
        shown = _read_all(master)
    assert (tool.returncode, shown) == (0, "")


def _read_all(terminal: int) -> str:
    """Return everything that is written to a terminal until all writers have closed it."""
    shown = b""
    try:
        while chunk := os.read(terminal, 4096):
            shown += chunk
    except OSError:  # how Linux reports the end
        pass
    os.close(terminal)
    return shown.decode()
