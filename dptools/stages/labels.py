"""Which class a sample shows, by what the user, the record or the folder says."""

from dataclasses import dataclass
from enum import StrEnum
from pathlib import PurePath
from typing import TYPE_CHECKING

from dptools.errors import SampleError, UsageError
from dptools.pipe.sample import Sample
from dptools.texts import did_you_mean

if TYPE_CHECKING:
    from dptools.classifiers import Classes


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
