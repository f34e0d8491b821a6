"""Code that several tools share: labels of samples, conversion of samples to tensors, and PSNR."""

import math
from dataclasses import dataclass
from enum import StrEnum
from pathlib import PurePath
from typing import TYPE_CHECKING

from dptools.errors import SampleError, UsageError
from dptools.pipe.sample import Sample
from dptools.pipe.shard_names import inside
from dptools.texts import did_you_mean

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from dptools.classifiers import Classes

PREDICTIONS = ("classify", "certify", "smooth")
"""Keys of predictions in a record. A tool that changes the image or classifies it again removes them."""


class LabelFrom(StrEnum):
    """Sources of true labels."""

    AUTO = "auto"
    RECORD = "record"
    DIRECTORY = "directory"
    PREDICTION = "prediction"


@dataclass(frozen=True)
class Labels:
    """Finds the true labels of samples.

    Attributes:
        given: The label of all images, as index, WordNet id or class name; None to use ``source``.
        source: Where labels come from. ``auto`` tries the record first, then the name of the parent directory.
            ``prediction`` stands for the classifier's prediction, which the caller has to compute.
    """

    given: str | None = None
    source: LabelFrom = LabelFrom.AUTO

    def check(self, classes: "Classes") -> None:
        """Check the given label.

        Raises:
            UsageError: The given label is not a class.
        """
        if self.given is not None:
            class_index(self.given, classes)

    def find(self, sample: Sample, classes: "Classes") -> int | None:
        """Return the index of the sample's label; None if it has none or the source is the prediction.

        Raises:
            SampleError: The label in the record is not a class, or the source is ``directory`` and the parent
                directory's name is not a class.
        """
        if self.given is not None:
            return classes.index(self.given)
        label = self._from_record(sample, classes)
        return label if label is not None else self._from_directory(sample, classes)

    @staticmethod
    def folder(sample: Sample) -> str:
        """Return the name of the folder that holds the image; empty if it is not known."""
        # The source in the record of an image file has no directory.
        parents = (PurePath(inside(str(sample.record.get(key, "")))).parent.name for key in ("source", "path"))
        return next(filter(None, parents), "")

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
            return classes.index(self.folder(sample))
        except ValueError as error:
            if self.source is LabelFrom.DIRECTORY:
                raise SampleError("UnknownLabel", f"the parent directory's name is not a label: {error}") from None
            return None


def class_index(text: str, classes: "Classes") -> int:
    """Return the index of the class that the user named.

    Raises:
        UsageError: No class or more than one class matches. The message suggests similar names.
    """
    try:
        return classes.index(text)
    except ValueError as error:
        raise UsageError(f"{error}{did_you_mean(classes.similar(text))}") from None


def to_tensor(sample: Sample, device: "torch.device") -> "Tensor":
    """Return the sample's image as a tensor, 1 x 3 x H x W, float32 in [0, 1]."""
    import torch

    assert sample.pixels is not None
    return torch.tensor(sample.pixels, device=device).permute(2, 0, 1)[None].float() / 255


def psnr(mse: float) -> float | None:
    """Return the peak signal-to-noise ratio in dB for a mean squared error of images in [0, 1]; None if it is 0."""
    return round(-10 * math.log10(mse), 2) if mse else None
