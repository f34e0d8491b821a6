"""RapidOCR: the recognition network of PaddleOCR, run by ONNX Runtime. The wheel contains the network."""

import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from dptools.devices import available_cores
from dptools.maps.detector import load_rapidocr
from dptools.maps.images import Grey
from dptools.maps.readers import Crop
from dptools.maps.words import Character


class RapidOcrReader:
    """Reads text lines with RapidOCR, with one thread for each core.

    Args:
        language: With ``eng``, accents and characters of other scripts are dropped, because the network often reports
            them by mistake.
    """

    rows = 48
    crops = (
        Crop(clean=True, half_height=0.85, margin=1.6),
        Crop(clean=False, half_height=0.85, margin=1.6),
        Crop(clean=False, half_height=1.05, margin=2.2),
        Crop(clean=False, half_height=0.85, margin=0.9),
    )
    min_confidence = 0.8

    def __init__(self, language: str = "eng") -> None:
        recognition = {"Global.text_score": 0.0, "Global.use_preprocess_img": False}
        # By default lines are padded to a width of 320 pixels, which takes a third more time.
        width = {"Rec.rec_img_shape": [3, self.rows, self.rows]}
        self._ocr = load_rapidocr(1, {**recognition, **width})
        self._latin_only = language == "eng"
        self._threads = available_cores()

    def read_lines(self, images: Sequence[Grey]) -> Iterable[list[Character]]:
        """Yield the characters of each rectified line, from left to right."""
        with ThreadPoolExecutor(self._threads) as pool:
            yield from pool.map(self._read_line, images)

    def _read_line(self, image: Grey) -> list[Character]:
        rgb = np.repeat(image[:, :, None], 3, 2)
        result: Any = self._ocr(rgb, use_det=False, use_cls=False, use_rec=True, return_word_box=True)
        text = (result.txts or ("",))[0]
        return list(self._characters(text, result.word_results[0], image.shape[1])) if text.strip() else []

    def _characters(self, text: str, result: Any, width: int) -> Iterator[Character]:
        """Yield the characters of a line. The network reports their columns in steps of ``width / line_txt_len``."""
        columns = iter([column for word in result.word_cols for column in word])
        starts_word = False
        for char, confidence in zip(text, result.confs, strict=True):
            if char.isspace():
                starts_word = True
                continue
            column = (next(columns) + 0.5) * width / result.line_txt_len
            for part in _to_latin(char) if self._latin_only else char:
                yield Character(part, float(confidence), column, starts_word)
                starts_word = False


def _to_latin(char: str) -> str:
    """Return a character without accents, or an empty string for a character of another script."""
    parts = unicodedata.normalize("NFKD", char)
    return "".join(part for part in parts if part.isascii() or unicodedata.name(part, "").startswith("LATIN"))
