"""Tesseract: the system's program, called through a pipe."""

import io
import os
import shutil
import subprocess
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dptools.errors import SampleError, SetupError, UsageError
from dptools.maps.readers import Look
from dptools.maps.words import Character, Word, boxed

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Grey = NDArray[np.uint8]

PROGRAM = "tesseract"


@dataclass(frozen=True)
class Found:
    """A word of Tesseract's: its text, confidence in [0, 1], and box in pixels."""

    page: int
    text: str
    confidence: float
    left: int
    top: int
    width: int
    height: int


def check_tesseract(language: str) -> None:
    """Raises:
    SetupError: the program is not there.
    UsageError: it does not know the language.
    """
    if not shutil.which(PROGRAM):
        raise SetupError(f"{PROGRAM} is not installed: on Debian and Ubuntu it is the package tesseract-ocr")
    listed = subprocess.run([PROGRAM, "--list-langs"], capture_output=True, text=True, check=False)
    known = (listed.stdout + listed.stderr).splitlines()[1:]
    for name in language.split("+"):
        if name not in known:
            raise UsageError(f"{PROGRAM} has no language {name!r}: choose {', '.join(known)}, or install its data")


@dataclass(frozen=True)
class TesseractPage:
    """Tesseract alone, which looks for sparse text on the whole map."""

    language: str = "eng"

    def page(self, grey: "Grey") -> list[Word]:
        """The words of a map."""
        return [
            Word(
                word.text,
                word.confidence,
                boxed(word.left, word.top, word.width, word.height),
                angle=0.0,
                certainty=word.confidence ** len(word.text),
            )
            for word in recognize([grey], 11, self.language)
        ]


@dataclass(frozen=True)
class TesseractReader(TesseractPage):
    """Reads each strip as one line, and the map as a page."""

    rows = 80
    sensitivities = (0.2,)
    looks = (Look(True, 1.15, 1.6), Look(False, 1.15, 1.6))
    least = 0.3

    def read(self, strips: "Sequence[Grey]") -> Iterable[list[Character]]:
        """The characters of each strip."""
        lines: list[list[Character]] = [[] for _ in strips]
        for word in sorted(recognize(strips, 7, self.language) if strips else [], key=lambda word: word.left):
            lines[word.page] += _characters(word)
        return lines


def recognize(pages: "Sequence[Grey]", layout: int, language: str) -> list[Found]:
    """The words that Tesseract finds on pages, which it gets as those of one TIFF.

    Args:
        pages: H x W each.
        layout: Tesseract's page segmentation mode; 7 is one line, 11 is sparse text.

    Raises:
        SampleError: Tesseract fails, of an image that is wider than 32,767 pixels for instance.
    """
    command = [PROGRAM, "stdin", "stdout", "--psm", str(layout), "-l", language, "tsv"]
    environment = {**os.environ, "OMP_THREAD_LIMIT": "1"}  # more threads make it slower
    done = subprocess.run(command, input=_tiff(pages), capture_output=True, env=environment, check=False)
    if done.returncode:
        reason = done.stderr.decode(errors="replace").strip().rpartition("\n")[2]
        raise SampleError("Tesseract", f"{PROGRAM} failed with status {done.returncode}: {reason}")
    rows = [line.split("\t") for line in done.stdout.decode(errors="replace").splitlines()[1:]]
    return [_found(row) for row in rows if len(row) == 12 and row[0] == "5" and row[11].strip()]


def _found(row: list[str]) -> Found:
    left, top, width, height = map(int, row[6:10])
    return Found(int(row[1]) - 1, row[11].strip(), max(0.0, float(row[10])) / 100, left, top, width, height)


def _tiff(pages: "Sequence[Grey]") -> bytes:
    from PIL import Image

    first, *more = map(Image.fromarray, pages)
    data = io.BytesIO()
    first.save(data, "TIFF", save_all=True, append_images=more)
    return data.getvalue()


def _characters(word: Found) -> list[Character]:
    """Evenly spread over the word's box."""
    pitch = word.width / len(word.text)
    return [
        Character(char, word.confidence, word.left + (place + 0.5) * pitch, place == 0)
        for place, char in enumerate(word.text)
    ]
