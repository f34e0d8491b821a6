"""Classify samples by randomised smoothing, with or without a certificate."""

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from dptools.errors import SampleError
from dptools.pipe.record import Record
from dptools.pipe.sample import Sample
from dptools.pixels import to_pixels
from dptools.tools.classify.certification import NO_PURIFIER, CertificationOptions
from dptools.tools.shared import PREDICTIONS, Labels

if TYPE_CHECKING:
    from torch import Tensor

    from dptools.certify import Certificate, Smoothed
    from dptools.classifiers import Classifier
    from dptools.purifiers import Purifier

NO_CONCEPT = "nothing"
"""The class of a noisy image for which a service names no concept."""


@dataclass(frozen=True)
class CertifyProcessor:
    """dp-classify with ``--certify`` or ``--smooth``.

    Attributes:
        tool: Name of the program, for error records.
        options: The options.
        classifier: The loaded classifier.
        purifier: The loaded purifier of noisy images; None for none.
        labels: The source of true labels.
        top_k: Number of classes to list.
        described: The fields of a service's classes in records, by name, as they are met.
    """

    tool: str
    options: CertificationOptions
    classifier: "Classifier"
    purifier: "Purifier | None"
    labels: Labels
    top_k: int
    described: dict[Hashable, Record] = field(default_factory=dict)

    def expand(self, sample: Sample) -> Iterable[Sample]:
        return [sample]

    def params(self, sample: Sample) -> Record:
        return {**self.classifier.params, "top_k": self.top_k, **self.options.facts}

    def __call__(self, samples: Sequence[Sample]) -> Iterable[Sample]:
        return map(self._classify, samples)

    def _classify(self, sample: Sample) -> Sample:
        """Classify one sample. A failure of a service becomes an error record."""
        try:
            label = self.labels.find(sample, self.classifier.classes)  # fails before the first request
            labelled = sample if label is None else sample.update(label=label)
            return self._certify(labelled) if self.options.certified else self._smooth(labelled)
        except SampleError as error:
            return sample.fail(self.tool, error.kind, error.message)

    def _certify(self, sample: Sample) -> Sample:
        options, image = self.options, self._image(sample)
        certificates = [
            self._smoothed(sigma).certify(
                image,
                draws=options.draws,
                alpha=options.alpha / len(options.sigmas),
                until=options.until,
                seed=self._seed(sample, sigma),
            )
            for sigma in options.sigmas
        ]
        best = max(certificates, key=lambda each: each.radius)
        if len({each.label for each in certificates} - {None}) > 1:  # the smoothed classifiers contradict each other
            best = replace(best, label=None, radius=0.0)
        facts = [self._certificate(each) for each in certificates]
        size = [image.shape[-1], image.shape[-2]]
        chosen = {**self._certificate(best), "alpha": options.alpha, "input_size": size}  # all hold with this alpha
        others = {"others": [fact for fact in facts if fact["sigma"] != best.sigma]} if len(facts) > 1 else {}
        clean = int(self.classifier.probabilities(image)[0].argmax()) if not self.classifier.remote else None
        plain = {} if clean is None else {"clean_class": clean}
        return self._update(sample, best.counts, best.label, {"certify": {**chosen, **plain, **others}})

    def _smooth(self, sample: Sample) -> Sample:
        options, (sigma,) = self.options, self.options.sigmas
        vote = self._smoothed(sigma).predict(
            self._image(sample), draws=options.draws, alpha=options.alpha, seed=self._seed(sample, sigma)
        )
        facts = {
            "sigma": sigma,
            "n": vote.draws,
            "alpha": vote.alpha,
            "method": self._method,
            "class": self._index(vote.label),
            "count": max(vote.counts.values()),
            "abstained": vote.label is None,
        }
        return self._update(sample, vote.counts, vote.label, {"smooth": facts})

    def _certificate(self, certificate: "Certificate[Any]") -> Record:
        return {
            "sigma": certificate.sigma,
            "n0": certificate.n0,
            "n": certificate.draws,
            "alpha": certificate.alpha,
            "method": self._method,
            "class": self._index(certificate.label),
            "count": certificate.count,
            "p_lower": certificate.p_lower,
            "radius": certificate.radius,
            "abstained": certificate.abstained,
        }

    def _update(self, sample: Sample, counts: Mapping[Any, int], winner: Hashable, facts: Record) -> Sample:
        """Return the labelled sample with the shares of the votes as probabilities."""
        total = sum(counts.values())
        ranked = sorted(counts, key=lambda name: (name != winner, -counts[name], str(name)))
        top = [{**self._describe(name), "p": round(counts[name] / total, 4)} for name in ranked[: self.top_k]]
        label = sample.record.get("label")
        # An abstention takes the first place, so that it never counts as correct.
        rank = None if label is None else self._rank(label, ranked) + (winner is None)
        classified = {"model": self.classifier.name, "top": top, "label_rank": rank}
        return sample.without(*PREDICTIONS).update(classify=classified, **facts)

    def _rank(self, label: int, ranked: Sequence[Hashable]) -> int:
        """Return the place of the label among the classes with votes; behind all classes if it has no vote."""
        places = [place for place, name in enumerate(ranked, 1) if self._index(name) == label]
        return places[0] if places else max(len(self.classifier.classes), len(ranked) + 1)

    @property
    def _method(self) -> str:
        return str(self.options.purifier or NO_PURIFIER)

    def _image(self, sample: Sample) -> "Tensor":
        assert sample.pixels is not None
        return self.classifier.tensor(sample.pixels)

    def _seed(self, sample: Sample, sigma: float) -> int:
        return sample.seed(self.options.seed, f"certify {sigma!r}:")

    def _smoothed(self, sigma: float) -> "Smoothed[Any]":
        from dptools.certify import Smoothed

        labels = self._service_labels if self.classifier.remote else None
        return Smoothed(self.classifier, self.purifier, sigma=sigma, labels=labels)

    def _service_labels(self, images: "Tensor") -> list[Hashable]:
        """Return the name of the first class that a service gives for each image; one request per image.

        An image without a concept votes for a class of its own, so that certificates count its vote against others.
        """
        names: list[Hashable] = []
        for image in images:
            (prediction,) = self.classifier.predict([to_pixels(image)])
            first = next(iter(prediction.top(1)), {"name": NO_CONCEPT})
            described = {key: value for key, value in first.items() if key != "p"}
            names.append(str(described["name"]))
            self.described.setdefault(names[-1], described)
        return names

    def _describe(self, name: Hashable) -> Record:
        if name in self.described:
            return self.described[name]
        return dict(self.classifier.classes.describe(int(str(name))))

    def _index(self, name: Hashable) -> int | str | None:
        if name is None:
            return None
        index = self._describe(name).get("index", name)
        return index if isinstance(index, int) else str(index)
