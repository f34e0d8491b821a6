"""dp-mapsext at work: a map in, the mask of its text out, with its words in the record."""

import io
from collections.abc import Iterable, Sequence
from dataclasses import asdict, replace
from typing import TYPE_CHECKING

import numpy as np

from dptools.maps.finding import find_words
from dptools.maps.formats import as_record, overlay
from dptools.maps.loading import load_reader
from dptools.maps.masks import MASKS, grey, text_mask
from dptools.pipe.record import Record
from dptools.pipe.sample import Sample
from dptools.pipe.sink import write
from dptools.purifiers.dip.presets import Preset
from dptools.purifiers.dip.stopping import Fixed
from dptools.tools.mapsext.ocr_options import OcrOptions
from dptools.tools.shared import to_tensor

if TYPE_CHECKING:
    import torch
    from numpy.typing import NDArray

EARLY = 30
"""Iterations after which the prior has background and roads, and no text yet."""


class MapTextExtractor:
    """The tool, with what it needs loaded."""

    def __init__(
        self, rule: str, iterations: int | None, wording: OcrOptions, device: "torch.device", seed: int
    ) -> None:
        self.rule, self.iterations, self.wording = rule, iterations, wording
        self.device, self.seed = device, seed
        self.reader = load_reader(wording.reader, wording.language) if wording else None

    @property
    def prior(self) -> Preset | None:
        """The early prior, where the rule needs one."""
        if not MASKS[self.rule].of_residual:
            return None
        most = self.iterations or EARLY
        return Preset("small", "mse", Fixed(most), average=0.9, iterations=most)

    def expand(self, sample: Sample) -> Iterable[Sample]:
        return [sample]

    def params(self, sample: Sample) -> Record:
        from dptools.purifiers.precision import effective

        params: Record = {"rule": self.rule, **self.wording.facts}
        if self.prior:
            precision = effective(self.device, self.prior.precision)
            params["prior"] = {**asdict(self.prior), "precision": precision, "device": self.device.type}
        return params

    def __call__(self, samples: Sequence[Sample]) -> Iterable[Sample]:
        return map(self._extract, samples)

    def _extract(self, sample: Sample) -> Sample:
        assert sample.pixels is not None
        if self.wording.overlay:
            self.wording.overlay_of(sample, self.wording.overlay)  # it would be a pity to find out after reading
        mask = text_mask(sample.pixels, self.rule, self._early(sample))
        found: Record = {"rule": self.rule, "coverage": round(float(mask.mean()), 4)}
        if self.prior:
            found["step"] = self.prior.iterations
        if self.reader:
            words = find_words(grey(sample.pixels), self.reader, self.wording.scale)
            found |= {"reader": self.wording.reader, "words": [as_record(word) for word in words]}
        read = sample.update(mapsext=found)
        self._draw(read)
        return replace(read, pixels=(mask.astype(np.uint8) * 255)[:, :, None].repeat(3, axis=2))

    def _early(self, sample: Sample) -> "NDArray[np.float32] | None":
        """The output of the early prior."""
        if not self.prior:
            return None
        from dptools.purifiers.dip import restore

        done = restore(to_tensor(sample, self.device), self.prior, seed=sample.seed(self.seed))
        array: NDArray[np.float32] = done.image[0].permute(1, 2, 0).cpu().numpy()
        return array

    def _draw(self, sample: Sample) -> None:
        """Write the overlay."""
        if self.wording.overlay is None:
            return
        from PIL import Image

        path, root = self.wording.overlay_of(sample, self.wording.overlay)

        assert sample.pixels is not None
        data = io.BytesIO()
        drawn = Image.fromarray(overlay(sample.pixels, sample.record["mapsext"]["words"]))
        drawn.save(data, Image.registered_extensions()[path.suffix.lower()])
        write(path, data.getvalue(), root)
