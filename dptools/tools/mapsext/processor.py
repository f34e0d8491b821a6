"""dp-mapsext: make the mask of a map's text, and read its words."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from dptools.errors import SampleError
from dptools.maps.finding import find_words
from dptools.maps.formats import as_record
from dptools.maps.georeference import Georeference, read_georeference
from dptools.maps.images import is_dark, to_grey
from dptools.maps.lexicon import load_lexicon
from dptools.maps.loading import load_reader
from dptools.maps.masks import METHODS, text_mask
from dptools.maps.prose import is_prose
from dptools.pipe.record import Record
from dptools.pipe.sample import Sample
from dptools.purifiers.dip.settings import FitSettings
from dptools.purifiers.dip.stopping import Fixed
from dptools.tools.mapsext.ocr_options import OcrOptions
from dptools.tools.mapsext.overlay import overlay_path, write_overlay
from dptools.tools.shared import to_tensor

if TYPE_CHECKING:
    import torch
    from numpy.typing import NDArray

EARLY = 30
"""Default number of iterations. The output of the deep image prior then shows background and roads, but no text."""


class MapTextExtractor:
    """Extracts the text of maps. The pixels become the mask, and the words are added to the record.

    Args:
        rule: Mask method, one of :data:`dptools.maps.MASK_METHODS`.
        iterations: Iterations of the deep image prior; None for the default.
        ocr: How words are read.
        device: Device of the deep image prior.
        seed: Seed of the run.

    Raises:
        DptoolsError: The reader or its language is not available.
    """

    def __init__(self, rule: str, iterations: int | None, ocr: OcrOptions, device: "torch.device", seed: int) -> None:
        self.rule, self.iterations, self.ocr = rule, iterations, ocr
        self.device, self.seed = device, seed
        self.reader = load_reader(ocr.reader, ocr.language) if ocr.enabled else None
        self.lexicon = load_lexicon(ocr.lexicon) if ocr.lexicon else None

    @property
    def prior(self) -> FitSettings | None:
        """Settings of the deep image prior, if the mask method needs one."""
        if not METHODS[self.rule].uses_residual:
            return None
        iterations = self.iterations or EARLY
        return FitSettings("small", "mse", Fixed(iterations), max_iterations=iterations, ema_decay=0.9)

    def expand(self, sample: Sample) -> Iterable[Sample]:
        return [sample]

    def params(self, sample: Sample) -> Record:
        from dptools.purifiers.precision import effective

        params: Record = {"rule": self.rule, **self.ocr.cache_params}
        if self.reader and (georeference := _georeference(sample)):
            params["georeference"] = georeference
        if self.prior:
            precision = effective(self.device, self.prior.precision)
            params["prior"] = {**asdict(self.prior), "precision": precision, "device": self.device.type}
        return params

    def __call__(self, samples: Sequence[Sample]) -> Iterable[Sample]:
        return map(self._extract, samples)

    def _extract(self, sample: Sample) -> Sample:
        assert sample.pixels is not None
        if self.ocr.overlay:
            overlay_path(sample, self.ocr.overlay)  # Raises an error before the slow reading of the map.
        grey = to_grey(sample.pixels)
        inverted = is_dark(grey)
        pixels = 255 - sample.pixels if inverted else sample.pixels
        mask = text_mask(pixels, self.rule, self._early(sample, inverted))
        height, width = mask.shape
        result: Record = {"rule": self.rule, "coverage": round(float(mask.mean()), 4), "width": width, "height": height}
        if inverted:
            result["inverted"] = True
        if self.prior:
            result["step"] = self.prior.max_iterations
        if self.reader:
            if georeference := _georeference(sample):
                result["georeference"] = georeference
            words = find_words(255 - grey if inverted else grey, self.reader, self.ocr.scale)
            records = [as_record(word) for word in words]
            result |= {"reader": self.ocr.reader, "words": [self._correct(record) for record in records]}
            if is_prose(words):
                result["prose"] = True
        processed = sample.update(mapsext=result)
        if self.ocr.overlay:
            write_overlay(processed, self.ocr.overlay)
        return replace(processed, pixels=(mask.astype(np.uint8) * 255)[:, :, None].repeat(3, axis=2))

    def _correct(self, word: Record) -> Record:
        """Return a word of a record corrected by the lexicon. A corrected word also has the text that was read."""
        text = self.lexicon.correct(word["text"]) if self.lexicon else word["text"]
        return word if text == word["text"] else word | {"text": text, "corrected_from": word["text"]}

    def _early(self, sample: Sample, inverted: bool) -> "NDArray[np.float32] | None":
        """Return the output of the deep image prior, H x W x 3 in [0, 1], if the mask method needs it.

        Args:
            sample: The map.
            inverted: Whether the output is inverted, like the map.
        """
        if not self.prior:
            return None
        from dptools.purifiers.dip import DeepImagePrior

        fit = DeepImagePrior(self.prior).restore(to_tensor(sample, self.device), seed=sample.seed(self.seed))
        array: NDArray[np.float32] = fit.image[0].permute(1, 2, 0).cpu().numpy()
        return 1 - array if inverted else array


def _georeference(sample: Sample) -> Georeference | None:
    """Return the georeference of a map's file, or None if it has none.

    Raises:
        SampleError: The world file is not valid.
    """
    source = sample.record.get("source")
    try:
        return read_georeference(Path(source)) if source else None
    except ValueError as error:
        raise SampleError("georeference", str(error)) from None
