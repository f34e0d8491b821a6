"""Classify samples: add the most probable classes, the rank of the label, and the suspicion to their records."""

from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from dptools.classifiers.names import ClassifierOptions, is_service
from dptools.detection import DETECTORS, Calibration, Detector, load_detector
from dptools.errors import SampleError, UsageError, check_name
from dptools.pipe.record import Record
from dptools.pipe.run import Emit
from dptools.pipe.sample import Sample
from dptools.pipe.stage import ToolOptions
from dptools.pipe.walk import SUFFIXES
from dptools.tools.classifier_options import check_calibrated
from dptools.tools.classify.calibrating import calibrating
from dptools.tools.classify.certification import CertificationOptions
from dptools.tools.classify.certifying import CertifyProcessor
from dptools.tools.shared import PREDICTIONS, Labels

if TYPE_CHECKING:
    from dptools.classifiers import Classes, Classifier, LabelMap, Prediction
    from dptools.pipe.sample import Pixels


@dataclass(frozen=True)
class ClassifyOptions(ToolOptions):
    """Options of dp-classify.

    Attributes:
        model: Name of the classifier.
        classifier_options: Options for loading the classifier.
        device: The device to compute on.
        top_k: Number of classes to list.
        labels: The source of true labels.
        label_map: A file that maps the classifier's class names to ImageNet classes.
        suspect: Whether to compute the suspicion, the calibrated score of a detector.
        detector: Name of the detector; None for the default of :func:`dptools.detection.load_detector`.
        certification: Options for randomised smoothing; None for an ordinary prediction.
        calibration: The distribution of the scores of clean images; None for that of the default classifier.
        calibrate: The file for a new calibration; None to measure none.

    Raises:
        UsageError: The options cannot be combined.
    """

    tool = "dp-classify"
    key = "classify"
    makes_images = False
    gpu_batch = 32

    model: str
    classifier_options: ClassifierOptions = field(default_factory=ClassifierOptions)
    device: str = "auto"
    top_k: int = 5
    labels: Labels = field(default_factory=Labels)
    label_map: Path | None = None
    suspect: bool = False
    detector: str | None = None
    certification: CertificationOptions | None = None
    calibration: Calibration | None = None
    calibrate: Path | None = None

    def __post_init__(self) -> None:
        if self.detector is not None and not (self.suspect or self.calibrate):
            raise UsageError("--detector requires --suspect or --calibrate")
        if self.detector is not None:
            check_name("detector", self.detector, DETECTORS)
        if self.certification and (self.suspect or self.label_map or self.calibrate):
            raise UsageError("--certify and --smooth exclude --suspect, --calibrate and --labels")
        if self.calibrate and (self.suspect or self.calibration or self.label_map):
            raise UsageError("--calibrate excludes --suspect, --calibration and --labels")
        if self.calibrate and self.calibrate.suffix.lower() in SUFFIXES:
            raise UsageError(f"--calibrate {self.calibrate}: this image would be replaced: name FILE.json first")
        if self.calibration and not self.suspect:
            raise UsageError("--calibration requires --suspect")
        if (self.suspect or self.calibrate) and is_service(self.model):
            raise UsageError(
                f"--suspect needs networks on this machine, and {self.model} is a service: "
                "run --suspect with a local model first, then the service without it"
            )
        if self.suspect:
            check_calibrated("--suspect", self.model, self.classifier_options, self.calibration)

    @property
    def seed(self) -> int | None:
        return self.certification.seed if self.certification else None

    @property
    def io_bound(self) -> bool:
        return is_service(self.model)

    def collect(self, emit: Emit) -> AbstractContextManager[Emit]:
        return calibrating(emit, self.calibrate) if self.calibrate else nullcontext(emit)

    def load(self) -> "ClassifyProcessor | CertifyProcessor":
        from dptools.classifiers import imagenet, load, read_label_map

        label_map = read_label_map(self.label_map) if self.label_map else None
        classifier = load(self.model, device=self.device, **vars(self.classifier_options))
        classes = imagenet() if label_map else classifier.classes
        self.labels.check(classes)
        if self.certification:
            return self._certifier(self.certification, classifier)
        detector = (
            load_detector(self.detector, classifier, self.device, self.calibration)
            if self.suspect or self.calibrate
            else None
        )
        return ClassifyProcessor(self, classifier, classes, label_map, detector)

    def _certifier(self, certification: CertificationOptions, classifier: "Classifier") -> CertifyProcessor:
        from dptools.purifiers import load

        method = certification.purifier
        purifier = load(method, device=classifier.device) if method else None
        return CertifyProcessor(self.tool, certification, classifier, purifier, self.labels, self.top_k)


@dataclass(frozen=True)
class ClassifyProcessor:
    """dp-classify with its classifier loaded.

    Attributes:
        options: The options of dp-classify.
        classifier: The loaded classifier.
        classes: The classes that labels refer to.
        label_map: Maps the classifier's class names to ImageNet classes; None to use its own classes.
        detector: Computes the suspicion; None to compute none.
    """

    options: ClassifyOptions
    classifier: "Classifier"
    classes: "Classes"
    label_map: "LabelMap | None" = None
    detector: Detector | None = None

    def expand(self, sample: Sample) -> Iterable[Sample]:
        return [sample]

    def params(self, sample: Sample) -> Record:
        suspect = {"suspect": self.detector.settings} if self.detector else {}
        return {**self.classifier.params, "top_k": self.options.top_k, **suspect}

    def __call__(self, samples: Sequence[Sample]) -> Iterable[Sample]:
        if self.classifier.remote:
            return map(self._classify_remotely, samples)
        predictions = self.classifier.predict([_pixels(sample) for sample in samples])
        return map(self._update, samples, predictions)

    def _classify_remotely(self, sample: Sample) -> Sample:
        """Classify one sample. A failure becomes an error record, so the rest of the batch is not sent again."""
        try:
            (prediction,) = self.classifier.predict([_pixels(sample)])
            return self._update(sample, prediction)
        except SampleError as error:
            return sample.fail(self.options.tool, error.kind, error.message)

    def _update(self, sample: Sample, prediction: "Prediction") -> Sample:
        """Return the sample with the prediction in its record."""
        label = self.options.labels.find(sample, self.classes)
        mapped = self.label_map.translate(prediction.named()) if self.label_map else prediction
        rank = None if label is None else mapped.rank(label)
        classified = {"model": self.classifier.name, "top": mapped.top(self.options.top_k), "label_rank": rank}
        suspected = self._suspect(sample, prediction, rank) if self.detector else {}
        # A certificate or a vote in the record belongs to an earlier prediction.
        outdated = (*PREDICTIONS, "suspicion", "suspect") if self.options.calibrate else PREDICTIONS
        return sample.without(*outdated).update(
            classify=classified, **suspected, **({} if label is None else {"label": label})
        )

    def _suspect(self, sample: Sample, prediction: "Prediction", rank: int | None) -> Record:
        """Return the suspicion and the settings of the detector, with the rank of the label before restoration.

        dp-eval needs this rank. The rank in ``classify`` is overwritten when dp-classify runs on the restored image.
        """
        from dptools.classifiers import ClassProbabilities

        assert self.detector
        assert isinstance(prediction, ClassProbabilities)
        if self.options.calibrate:
            if "attack" in sample.record:
                raise SampleError("NotClean", "a calibration needs clean images, and this one was attacked")
            score = self.detector.disagreement(_pixels(sample), prediction.probabilities)
            return {"suspect": {**self.detector.settings, "disagreement": round(score, 6)}}
        suspicion = self.detector(_pixels(sample), prediction.probabilities)
        return {"suspicion": suspicion, "suspect": {**self.detector.settings, "label_rank": rank}}


def _pixels(sample: Sample) -> "Pixels":
    assert sample.pixels is not None
    return sample.pixels
