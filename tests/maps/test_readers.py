"""Tests of the readers' output, without Tesseract or a network."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from dptools.errors import SampleError, SetupError, UsageError
from dptools.maps import load_reader
from dptools.maps.rapidocr import RapidOcrReader
from dptools.maps.tesseract import TesseractPageReader, TesseractReader

HEADER = "level page_num block_num par_num line_num word_num left top width height conf text"
ROWS = (
    "4 1 1 1 1 0 0 0 99 20 -1 ",
    "5 1 1 1 1 2 60 0 30 20 50 cd",
    "5 1 1 1 1 1 10 0 20 20 90 ab",
    "5 2 1 1 1 1 30 5 20 10 -1 ef",
)


@pytest.fixture
def fake_tesseract(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Install a program ``tesseract`` that knows English and recognises ROWS."""
    output = tmp_path / "output.tsv"
    output.write_text("".join(row.replace(" ", "\t") + "\n" for row in (HEADER, *ROWS)))
    program = tmp_path / "tesseract"
    program.write_text(
        f'#!/bin/sh\n[ "$1" = --list-langs ] && {{ echo List:; echo eng; exit; }}\ncat > /dev/null; cat {output}\n'
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    return program


def test_tesseract_is_loaded_if_it_is_installed_and_knows_the_language(
    fake_tesseract: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert isinstance(load_reader("tesseract"), TesseractReader)
    with pytest.raises(UsageError, match="tesseract has no language 'deu': choose eng, or install its data"):
        load_reader("tesseract-page", "eng+deu")
    with pytest.raises(UsageError, match="unknown reader 'human': choose rapidocr, tesseract, tesseract-page"):
        load_reader("human")
    monkeypatch.setenv("PATH", str(tmp_path / "empty"))
    with pytest.raises(SetupError, match="tesseract is not installed"):
        load_reader("tesseract")


def test_tesseract_reads_a_page(fake_tesseract: Path) -> None:
    words = TesseractPageReader().read_page(np.zeros((30, 100), np.uint8))
    assert [(word.text, word.confidence) for word in words] == [("cd", 0.5), ("ab", 0.9), ("ef", 0.0)]
    assert words[1].polygon == ((10, 0), (30, 0), (30, 20), (10, 20))
    assert words[1].joint_confidence == pytest.approx(0.9**2)


def test_tesseract_reads_lines_from_left_to_right(fake_tesseract: Path) -> None:
    first, second = TesseractReader().read_lines([np.zeros((20, 100), np.uint8)] * 2)
    assert [(char.text, char.column, char.starts_word) for char in first] == [
        ("a", 15, True),
        ("b", 25, False),
        ("c", 67.5, True),
        ("d", 82.5, False),
    ]
    assert [char.text for char in second] == ["e", "f"]
    assert list(TesseractReader().read_lines([])) == []


def test_a_failure_of_tesseract_is_a_sample_error(fake_tesseract: Path) -> None:
    fake_tesseract.write_text("#!/bin/sh\ncat > /dev/null; echo line; echo broken >&2; exit 4\n")
    with pytest.raises(SampleError, match="tesseract failed with status 4: broken"):
        TesseractPageReader().read_page(np.zeros((30, 100), np.uint8))


def rapidocr_characters(text: str, columns: list[list[int]], language: str) -> list[tuple[str, float, bool]]:
    reader = RapidOcrReader.__new__(RapidOcrReader)
    reader._latin_only = language == "eng"
    result = SimpleNamespace(word_cols=columns, confs=[0.9] * len(text), line_txt_len=10)
    return [(char.text, char.column, char.starts_word) for char in reader._characters(text, result, 200)]


def test_rapidocr_places_characters_and_marks_the_start_of_words() -> None:
    expected = [("a", 30, False), ("b", 50, False), ("c", 130, True)]
    assert rapidocr_characters("ab c", [[1, 2], [6]], "eng") == expected


def test_rapidocr_drops_accents_and_other_scripts_in_english_only() -> None:
    assert [char for char, *_ in rapidocr_characters("Köln東", [[1, 2, 3, 4, 5]], "eng")] == ["K", "o", "l", "n"]
    assert [char for char, *_ in rapidocr_characters("Köln東", [[1, 2, 3, 4, 5]], "deu")] == list("Köln東")
