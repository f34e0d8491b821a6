"""What several tools share: the labels of samples, and the way between samples and tensors."""

import math
from dataclasses import dataclass
from enum import StrEnum
from pathlib import PurePath
from typing import TYPE_CHECKING

from dptools.errors import SampleError, UsageError
from dptools.pipe.sample import Sample
from dptools.texts import did_you_mean

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from dptools.classifiers import Classes
    from dptools.pipe.sample import Pixels


class LabelFrom(StrEnum):
    """Where true labels come from."""

    AUTO = "auto"
    RECORD = "record"
    DIRECTORY = "directory"
    PREDICTION = "prediction"


@dataclass(frozen=True)
class Labels:
    """The user's word on labels.

    Attributes:
        given: the label of every image, as an index, a wnid or a class name.
        source: where to look else; ``auto`` is the record, then the parent directory's name.
    """

    given: str | None = None
    source: LabelFrom = LabelFrom.AUTO

    def check(self, classes: "Classes") -> None:
        """Raises:
        UsageError: the given label names no class.
        """
        if self.given is not None:
            class_index(self.given, classes)

    def find(self, sample: Sample, classes: "Classes") -> int | None:
        """The sample's label; None where nothing says it, or the prediction shall.

        Raises:
            SampleError: what says it names no class.
        """
        if self.given is not None:
            return classes.index(self.given)
        label = self._from_record(sample, classes)
        return label if label is not None else self._from_directory(sample, classes)

    def _from_record(self, sample: Sample, classes: "Classes") -> int | None:
        label = sample.record.get("label")
        if label is None or self.source not in (LabelFrom.AUTO, LabelFrom.RECORD):
            return None
        try:
            return classes.index(int(label) if isinstance(label, float) else label)
        except ValueError as error:
            raise SampleError("UnknownLabel", str(error)) from None

    def _from_directory(self, sample: Sample, classes: "Classes") -> int | None:
        if self.source not in (LabelFrom.AUTO, LabelFrom.DIRECTORY):
            return None
        try:
            return classes.index(PurePath(str(sample.record.get("source", ""))).parent.name)
        except ValueError as error:
            if self.source is LabelFrom.DIRECTORY:
                raise SampleError("UnknownLabel", f"the parent directory's name is no label: {error}") from None
            return None


def class_index(text: str, classes: "Classes") -> int:
    """The class that the user named.

    Raises:
        UsageError: there is none of this name.
    """
    try:
        return classes.index(text)
    except ValueError as error:
        raise UsageError(f"{error}{did_you_mean(classes.near(text))}") from None


def to_tensor(sample: Sample, device: "torch.device") -> "Tensor":
    """1 x 3 x H x W float32 in [0, 1] of a sample's pixels."""
    import torch

    assert sample.pixels is not None
    return torch.tensor(sample.pixels, device=device).permute(2, 0, 1)[None].float() / 255


def to_pixels(image: "Tensor") -> "Pixels":
    """H x W x 3 uint8, rounded, of an image 1 x 3 x H x W in [0, 1]."""
    pixels: Pixels = (image[0].clamp(0, 1) * 255).round().byte().permute(1, 2, 0).cpu().numpy()
    return pixels


def psnr(error: float) -> float | None:
    """In dB, of a mean squared error on the [0, 1] scale; None where there is none."""
    return round(-10 * math.log10(error), 2) if error else None
