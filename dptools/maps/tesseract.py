"""Tesseract: the program ``tesseract``, called with images on standard input."""

import io
import os
import shutil
import subprocess
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from PIL import Image

from dptools.errors import SampleError, SetupError, UsageError
from dptools.maps.images import Grey
from dptools.maps.outlines import box_polygon
from dptools.maps.readers import Crop
from dptools.maps.words import Character, Word

PROGRAM = "tesseract"

SINGLE_LINE, SPARSE_TEXT = 7, 11
"""Page segmentation modes of Tesseract (``--psm``)."""


@dataclass(frozen=True)
class TesseractWord:
    """A word in Tesseract's output: the index of its page, its confidence in [0, 1], and its box in pixels."""

    page: int
    text: str
    confidence: float
    left: int
    top: int
    width: int
    height: int


def check_tesseract(language: str) -> None:
    """Check that Tesseract is installed and knows a language.

    Args:
        language: One or several of Tesseract's language codes, joined by ``+``.

    Raises:
        SetupError: Tesseract is not installed.
        UsageError: Tesseract has no data for the language.
    """
    if not shutil.which(PROGRAM):
        raise SetupError(f"{PROGRAM} is not installed: on Debian and Ubuntu it is the package tesseract-ocr")
    completed = subprocess.run([PROGRAM, "--list-langs"], capture_output=True, text=True, check=False)
    languages = (completed.stdout + completed.stderr).splitlines()[1:]
    for name in language.split("+"):
        if name not in languages:
            raise UsageError(f"{PROGRAM} has no language {name!r}: choose {', '.join(languages)}, or install its data")


@dataclass(frozen=True)
class TesseractPageReader:
    """Reads the whole map with Tesseract's own line detection for sparse text."""

    language: str = "eng"

    def read_page(self, grey: Grey) -> list[Word]:
        """Return the words of a map, H x W."""
        return [
            Word(
                word.text,
                word.confidence,
                box_polygon(word.left, word.top, word.width, word.height),
                angle=0.0,
                joint_confidence=word.confidence ** len(word.text),
            )
            for word in recognise([grey], SPARSE_TEXT, self.language)
        ]


@dataclass(frozen=True)
class TesseractReader(TesseractPageReader):
    """Reads rectified text lines, and the whole map too."""

    rows = 80
    crops = (Crop(clean=True, half_height=1.15, margin=1.6), Crop(clean=False, half_height=1.15, margin=1.6))
    min_confidence = 0.3

    def read_lines(self, images: Sequence[Grey]) -> Iterable[list[Character]]:
        """Return the characters of each rectified line, from left to right."""
        lines: list[list[Character]] = [[] for _ in images]
        words = recognise(images, SINGLE_LINE, self.language) if images else []
        for word in sorted(words, key=lambda word: word.left):
            lines[word.page] += _characters(word)
        return lines


def recognise(pages: Sequence[Grey], segmentation: int, language: str) -> list[TesseractWord]:
    """Return the words that Tesseract recognises. All pages are passed to one process, as a TIFF of several pages.

    Args:
        pages: The pages, H x W each.
        segmentation: Tesseract's page segmentation mode.
        language: One or several of Tesseract's language codes, joined by ``+``.

    Raises:
        SampleError: Tesseract failed, for instance because an image is wider than 32,767 pixels.
    """
    command = [PROGRAM, "stdin", "stdout", "--psm", str(segmentation), "-l", language, "tsv"]
    environment = {**os.environ, "OMP_THREAD_LIMIT": "1"}  # Tesseract is slower with several threads.
    completed = subprocess.run(command, input=_tiff(pages), capture_output=True, env=environment, check=False)
    if completed.returncode:
        reason = completed.stderr.decode(errors="replace").strip().rpartition("\n")[2]
        raise SampleError("Tesseract", f"{PROGRAM} failed with status {completed.returncode}: {reason}")
    rows = [line.split("\t") for line in completed.stdout.decode(errors="replace").splitlines()[1:]]
    return [_word(row) for row in rows if len(row) == 12 and row[0] == "5" and row[11].strip()]


def _word(row: list[str]) -> TesseractWord:
    left, top, width, height = map(int, row[6:10])
    return TesseractWord(int(row[1]) - 1, row[11].strip(), max(0.0, float(row[10])) / 100, left, top, width, height)


def _tiff(pages: Sequence[Grey]) -> bytes:
    first, *others = map(Image.fromarray, pages)
    data = io.BytesIO()
    first.save(data, "TIFF", save_all=True, append_images=others)
    return data.getvalue()


def _characters(word: TesseractWord) -> list[Character]:
    """Return the characters of a word, spaced evenly over its box."""
    pitch = word.width / len(word.text)
    return [
        Character(char, word.confidence, word.left + (index + 0.5) * pitch, starts_word=index == 0)
        for index, char in enumerate(word.text)
    ]
