"""The number of inputs in advance, and the text of the progress bar."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from toys import sample

from dptools.pipe.counting import input_counter
from dptools.pipe.progress import _Tally

Picture = Callable[..., Path]


def test_images_below_directories_and_files_are_counted(tmp_path: Path, picture: Picture) -> None:
    for name in ("in/a.png", "in/n/b.jpg", "in/out/c.png", "d.png"):
        picture(tmp_path / name)
    (tmp_path / "in" / "notes.txt").touch()
    operands = [str(tmp_path / "in"), str(tmp_path / "d.png"), "gone.png"]
    assert input_counter(operands, None, False, [tmp_path / "in" / "out"])() == 4


@pytest.mark.parametrize("operand", ["-", "/dev/fd/9", "shard.tar"])
def test_the_number_is_unknown_if_an_operand_may_hold_several_images(operand: str) -> None:
    assert input_counter(["a.png", operand], None, False, [])() is None


@pytest.mark.parametrize(
    ("content", "null", "count"),
    [(b"a\nb\n\n  \nc", False, 3), (b"a\nb\0c\0", True, 2), (b"", False, 0), (b"x" * 3_000_000 + b"\ny\n", False, 2)],
)
def test_lines_of_a_file_are_counted_without_reading_them_for_the_tool(
    tmp_path: Path, content: bytes, null: bool, count: int
) -> None:
    (tmp_path / "list").write_bytes(content)
    with (tmp_path / "list").open("rb") as stream:
        counter = input_counter([], stream.fileno(), null, [])
        assert stream.read() == content
        assert counter() == count
        assert input_counter([], stream.fileno(), null, [])() == 0  # nothing is left to read


def test_lines_of_a_pipe_are_not_counted() -> None:
    reader, writer = os.pipe()
    os.write(writer, b"a\n")
    os.close(writer)
    assert input_counter([], reader, False, [])() is None
    assert os.read(reader, 9) == b"a\n"
    os.close(reader)


def test_pace_and_time_left_ignore_outputs_that_were_reused_at_the_beginning(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr("time.monotonic", lambda: now)
    tally = _Tally(("",), inputs=14)
    for _ in range(4):
        tally.add(sample("a", cached=True))
    assert (tally.of(), tally.pace()) == ("/14", "")
    now = 120.0
    for _ in range(2):
        tally.add(sample("a"))
    assert tally.pace() == "10.0 s/image 0:01:20 left"
    now = 121.0
    for _ in range(61):
        tally.add(sample("a").fail("dp-toy", "T", "m"))
    assert tally.pace().startswith("61 failed 3.0 images/s 0:00:00")


def test_an_input_that_fails_as_a_whole_has_one_output() -> None:
    tally = _Tally(("@gs", "@bun"), inputs=3)
    assert tally.total == 6
    tally.add(sample("a@gs"))
    tally.add(sample("a@bun").fail("dp-toy", "T", "m"))
    tally.add(sample("b").fail("dp-toy", "T", "m"))
    assert (tally.done, tally.total) == (3, 5)
