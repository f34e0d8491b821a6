"""RapidOCR: PaddleOCR's recognition network, which its wheel brings with it, run by ONNX Runtime."""

import os
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import numpy as np

from dptools.maps.readers import Look
from dptools.maps.words import Character

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Grey = NDArray[np.uint8]


class RapidReader:
    """Reads strip by strip, as many at once as there are cores: a map is one image, and takes long.

    Args:
        language: ``eng`` leaves accents and foreign scripts away, which the network sees where there are none.
    """

    rows = 48
    sensitivities = (0.2, 0.4)
    looks = (
        Look(True, 0.85, 1.6),
        Look(False, 0.85, 2.6),
        Look(True, 1.05, 1.6),
        Look(False, 1.05, 2.6),
        Look(False, 0.95, 3.6),
    )
    least = 0.8

    def __init__(self, language: str = "eng") -> None:
        # ONNX Runtime would keep an id of this machine in the home directory, and report to its maker.
        os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
        from rapidocr import RapidOCR

        threads = {"EngineConfig.onnxruntime.intra_op_num_threads": 1}
        quiet = {"Global.log_level": "critical", "Global.text_score": 0.0, "Global.use_preprocess_img": False}
        narrow = {"Rec.rec_img_shape": [3, self.rows, self.rows]}  # padded to 320 pixels, a strip takes a third longer
        self._ocr = RapidOCR(params={**quiet, **threads, **narrow})
        self._plain = language == "eng"
        self._threads = len(os.sched_getaffinity(0))

    def read(self, strips: "Sequence[Grey]") -> Iterable[list[Character]]:
        """The characters of each strip."""
        with ThreadPoolExecutor(self._threads) as pool:
            yield from pool.map(self._read, strips)

    def _read(self, strip: "Grey") -> list[Character]:
        colours = np.repeat(strip[:, :, None], 3, 2)
        found: Any = self._ocr(colours, use_det=False, use_cls=False, use_rec=True, return_word_box=True)
        text = (found.txts or ("",))[0]
        return list(self._characters(text, found.word_results[0], strip.shape[1])) if text.strip() else []

    def _characters(self, text: str, found: Any, width: int) -> Iterator[Character]:
        """Of one strip; the network's columns are parts of its width."""
        columns = iter([column for word in found.word_cols for column in word])
        opens = False
        for char, confidence in zip(text, found.confs, strict=True):
            if char.isspace():
                opens = True
                continue
            column = (next(columns) + 0.5) * width / found.line_txt_len
            for plain in _latin(char) if self._plain else char:
                yield Character(plain, float(confidence), column, opens)
                opens = False


def _latin(char: str) -> str:
    """A character without accents; nothing of one of another script."""
    parts = unicodedata.normalize("NFKD", char)
    return "".join(part for part in parts if part.isascii() or unicodedata.name(part, "").startswith("LATIN"))
