"""dp-classify: the most probable classes of each image, and the true label's place among them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from dptools.classifiers.names import ClassifierOptions, is_service
from dptools.detection.detector import DETECTORS, Detector, detector
from dptools.errors import SampleError, UsageError, check_name
from dptools.pipe.record import Record
from dptools.pipe.sample import Sample
from dptools.pipe.stage import ToolOptions
from dptools.tools.shared import Labels

if TYPE_CHECKING:
    from dptools.classifiers import Answer, Classes, Classifier, Dictionary
    from dptools.pipe.sample import Pixels


@dataclass(frozen=True)
class ClassifyOptions(ToolOptions):
    """Options of dp-classify.

    Attributes:
        given: what is said of the classifier besides its name.
        labels: how the true classes are known.
        dictionary: a file that says what the classifier's names mean.
        suspect: how suspect an image is, is wanted.
        detector: what finds that out; None for the best that there is.
    """

    tool = "dp-classify"
    key = "classify"
    makes_images = False
    gpu_batch = 32

    model: str
    given: ClassifierOptions = field(default_factory=ClassifierOptions)
    device: str = "auto"
    top_k: int = 5
    labels: Labels = field(default_factory=Labels)
    dictionary: Path | None = None
    suspect: bool = False
    detector: str | None = None

    def __post_init__(self) -> None:
        """Raises:
        UsageError: options that do not go together, before any worker starts.
        """
        if self.detector is not None and not self.suspect:
            raise UsageError("--detector is for --suspect")
        if self.detector is not None:
            check_name("detector", self.detector, DETECTORS)
        if self.suspect and is_service(self.model):
            raise UsageError("--suspect asks networks on this machine: let one of them look first, then the service")

    @property
    def waits(self) -> bool:
        return is_service(self.model)

    def load(self) -> "ClassifyProcessor":
        from dptools.classifiers import imagenet, load, read_dictionary

        dictionary = read_dictionary(self.dictionary) if self.dictionary else None
        classifier = load(self.model, device=self.device, **vars(self.given))
        classes = imagenet() if dictionary else classifier.classes
        self.labels.check(classes)
        suspecting = detector(self.detector, classifier, self.device) if self.suspect else None
        return ClassifyProcessor(self, classifier, classes, dictionary, suspecting)


@dataclass(frozen=True)
class ClassifyProcessor:
    """dp-classify with its classifier loaded."""

    options: ClassifyOptions
    classifier: "Classifier"
    classes: "Classes"
    dictionary: "Dictionary | None" = None
    suspecting: Detector | None = None

    def expand(self, sample: Sample) -> Iterable[Sample]:
        return [sample]

    def params(self, sample: Sample) -> Record:
        suspecting = {"suspect": self.suspecting.facts} if self.suspecting else {}
        model = {"model": self.classifier.name, "weights": self.classifier.weights}
        return {**model, "top_k": self.options.top_k, **suspecting}

    def __call__(self, samples: Sequence[Sample]) -> Iterable[Sample]:
        if self.classifier.remote:
            return map(self._ask, samples)
        return map(self._record, samples, self.classifier.answers([_pixels(sample) for sample in samples]))

    def _ask(self, sample: Sample) -> Sample:
        """One at a time: what a service has answered is not asked for again because of another."""
        try:
            (answer,) = self.classifier.answers([_pixels(sample)])
            return self._record(sample, answer)
        except SampleError as error:
            return sample.fail(self.options.tool, error.kind, error.message)

    def _record(self, sample: Sample, answer: "Answer") -> Sample:
        label = self.options.labels.find(sample, self.classes)
        said = self.dictionary.translate(answer.named()) if self.dictionary else answer
        place = None if label is None else said.rank(label)
        found = {"model": self.classifier.name, "top": said.top(self.options.top_k), "label_rank": place}
        suspected = self._suspect(sample, answer, place) if self.suspecting else {}
        return sample.update(classify=found, **suspected, **({} if label is None else {"label": label}))

    def _suspect(self, sample: Sample, seen: "Answer", place: int | None) -> Record:
        """What stays in the record when a later dp-classify says what it sees in the restored image."""
        from dptools.classifiers import Scores

        assert self.suspecting
        assert isinstance(seen, Scores)
        found = self.suspecting(_pixels(sample), seen.probabilities)
        return {"suspicion": found, "suspect": {**self.suspecting.facts, "label_rank": place}}


def _pixels(sample: Sample) -> "Pixels":
    assert sample.pixels is not None
    return sample.pixels
