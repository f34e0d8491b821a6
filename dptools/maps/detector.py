"""Text detection: the detection network of PaddleOCR, run by ONNX Runtime. The wheel of RapidOCR contains it."""

import functools
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dptools.devices import available_cores
from dptools.maps.images import Grey, tiles
from dptools.onnx_runtime import import_onnxruntime

Probability = NDArray[np.float32]
"""H x W, in [0, 1]: for each pixel the probability that it belongs to the middle of a text line."""

TILE, HALO = 1024, 160
"""Side of a tile, and the margin around it that the network sees too, in pixels."""

STRIDE = 32
"""The network reads images whose sides are multiples of this number of pixels."""


def load_rapidocr(threads: int, params: Mapping[str, Any]) -> Any:
    """Return RapidOCR, whose networks compute with this number of threads, with further parameters of it."""
    import_onnxruntime()  # RapidOCR imports it, too.
    from rapidocr import RapidOCR

    common = {"Global.log_level": "critical", "EngineConfig.onnxruntime.intra_op_num_threads": threads}
    return RapidOCR(params={**common, **params})


class TextDetector:
    """Detects text lines at any angle and along curves."""

    def __init__(self) -> None:
        ocr = load_rapidocr(available_cores(), {})
        blank = np.full((STRIDE, STRIDE, 3), 255, np.uint8)
        ocr(blank, use_det=True, use_cls=False, use_rec=False)  # RapidOCR loads the network on first use.
        self._network: Any = ocr.text_det

    def probability(self, grey: Grey) -> Probability:
        """Return the probability of text for each pixel of a map, H x W. Memory is bounded by the size of a tile."""
        result = np.zeros(grey.shape, np.float32)
        for tile, with_halo, inside in tiles(grey.shape, TILE, HALO):
            result[tile] = self._infer(grey[with_halo])[inside]
        return result

    def _infer(self, tile: Grey) -> Probability:
        height, width = tile.shape
        padded = np.pad(tile, ((0, -height % STRIDE), (0, -width % STRIDE)), constant_values=255)
        rgb = np.repeat(padded[None, :, :, None], 3, 3).astype(np.float32) / 255
        normalised = (rgb - np.array(self._network.mean, np.float32)) / np.array(self._network.std, np.float32)
        output: Probability = self._network.session(normalised.transpose(0, 3, 1, 2))[0, 0, :height, :width]
        return output


@functools.cache
def load_detector() -> TextDetector:
    """Return the text detector. It is loaded once in each process."""
    return TextDetector()
