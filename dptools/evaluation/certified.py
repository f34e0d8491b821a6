"""Certified accuracy: how many images have a correct prediction that no perturbation within a radius can change."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from dptools.evaluation.intervals import Rate
from dptools.evaluation.keys import NONE, Record, is_scored, source_image
from dptools.evaluation.run_key import RunKey, names, run_key
from dptools.texts import printable

RADII = (0.25, 0.5, 1.0)
"""Default radii, as in the literature."""


@dataclass(frozen=True)
class Certified:
    """The certificate of one image.

    Attributes:
        radius: Certified radius if the class is the label; otherwise 0.
        correct: Whether the class is the label.
        abstained: Whether there is no certified class.
        clean_correct: Whether the classifier is correct without noise and purification; None if unknown.
    """

    radius: float
    correct: bool
    abstained: bool
    clean_correct: bool | None


@dataclass
class CertificateGroup:
    """All certificates of one classifier with the same noise and purifier, for clean images or those of one attack.

    Attributes:
        sigma: Standard deviation of the noise; None for the best of several at each radius.
        method: The purifier.
        model: The classifier.
        attack: The attack and its settings; ``none`` for clean images.
        certificates: The certificates, by image and id.
    """

    sigma: float | None
    method: str
    model: str
    attack: str
    certificates: dict[tuple[str, str], Certified] = field(default_factory=dict)

    def name(self, *, with_model: bool) -> str:
        """Return the name of the group in tables and figures."""
        sigma = "best sigma" if self.sigma is None else f"sigma {self.sigma:g}"
        attack = [self.attack] if self.attack != NONE else []
        model = [self.model] if with_model else []
        return printable(", ".join([sigma, self.method, *attack, *model]))

    def accuracy(self, radius: float, *, of_correct: bool = False) -> Rate:
        """Return the share of images whose correct class is certified at a radius.

        Args:
            radius: The radius; 0 for any certificate.
            of_correct: Whether to count only images that are correct without noise and purification.
        """
        counted = [each for each in self.certificates.values() if each.clean_correct or not of_correct]
        return Rate(sum(each.correct and each.radius >= radius for each in counted), len(counted))

    @property
    def abstained(self) -> Rate:
        """The share of images without a certified class."""
        return Rate(sum(each.abstained for each in self.certificates.values()), len(self.certificates))

    @property
    def mean_radius(self) -> float:
        """The average certified radius: the mean over all images, 0 for wrong classes and abstentions."""
        return sum(each.radius for each in self.certificates.values()) / len(self.certificates)

    @property
    def knows_clean(self) -> bool:
        """Whether the records say what the classifier predicts without noise."""
        return any(each.clean_correct is not None for each in self.certificates.values())

    def as_json(self, radii: Sequence[float]) -> dict[str, Any]:
        """Return the group as a JSON object, documented in dp-eval(1)."""
        return {
            "sigma": self.sigma,
            "method": self.method,
            "model": self.model,
            "attack": self.attack,
            "certified": [{"radius": radius, **self.accuracy(radius).as_json()} for radius in radii],
            "certified_of_correct": [
                {"radius": radius, **self.accuracy(radius, of_correct=True).as_json()} for radius in radii
            ],
            "abstained": self.abstained.as_json(),
            "average_radius": self.mean_radius,
        }


@dataclass
class BestGroup(CertificateGroup):
    """The noise that is best at each radius, as publications choose it. No single classifier has these accuracies.

    Attributes:
        groups: The groups with different noise, all with the same images.
    """

    groups: list[CertificateGroup] = field(default_factory=list)

    def accuracy(self, radius: float, *, of_correct: bool = False) -> Rate:
        rates = [group.accuracy(radius, of_correct=of_correct) for group in self.groups]
        return max(rates, key=lambda rate: rate.k / rate.n if rate.n else 0.0)

    def as_json(self, radii: Sequence[float]) -> dict[str, Any]:
        return super().as_json(radii) | {"abstained": None, "average_radius": None}


@dataclass
class CertificateEvaluation:
    """The certificates in a stream of records.

    Attributes:
        radii: The radii of tables.
        groups: Groups by noise, purifier, classifier and run of an attack, which is None for clean images.
        lines: One line for each record in the format of the logs of arXiv 1902.02918.
    """

    radii: tuple[float, ...] = RADII
    groups: dict[tuple[float, str, str, RunKey | None], CertificateGroup] = field(default_factory=dict)
    lines: list[str] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.groups)

    def add(self, record: Record) -> None:
        """Count the certificates of a record. Records without a label and skipped images are ignored."""
        certify, label = record.get("certify"), record.get("label")
        if not certify or not is_scored(record) or not isinstance(label, int):
            return
        model = str(record.get("classify", {}).get("model", "-"))
        attack = run_key(record["attack"]) if "attack" in record else None
        for each in [certify, *certify.get("others", [])]:
            key = (float(each["sigma"]), str(each["method"]), model, attack)
            group = self.groups.setdefault(key, CertificateGroup(*key[:-1], NONE))
            clean = None if "clean_class" not in certify else certify["clean_class"] == label
            correct = not each["abstained"] and each["class"] == label
            radius = float(each["radius"]) if correct else 0.0
            image = (source_image(record), str(record.get("id")))
            group.certificates[image] = Certified(radius, correct, each["abstained"], clean)
        self.lines.append(_log_line(len(self.lines), record, certify, label))

    def shown(self) -> Iterator[CertificateGroup]:
        """Yield the groups by increasing noise, clean images first, and for several the best noise at each radius.

        The best is that of the images that have a result for every noise: rates of different images are not
        comparable.
        """
        attacks = names(dict.fromkeys(key[-1] for key in self.groups if key[-1]))
        found = [
            replace(group, attack=f"{attacks[run]}{run.behind}" if run else NONE)
            for (*_, run), group in self.groups.items()
        ]
        ordered = sorted(found, key=lambda group: (group.attack != NONE, group.sigma, group.method, group.model))
        yield from ordered
        by_classifier: dict[tuple[str, str, str], list[CertificateGroup]] = {}
        for group in ordered:
            by_classifier.setdefault((group.method, group.model, group.attack), []).append(group)
        for key, same in by_classifier.items():
            if len(same) > 1 and (common := _on_common_images(same))[0].certificates:
                yield BestGroup(None, *key, common[0].certificates, common)

    def named(self) -> list[tuple[str, CertificateGroup]]:
        """Return the groups of :meth:`shown` with their names, which contain the classifier if there are several."""
        several = len({group.model for group in self.groups.values()}) > 1
        return [(group.name(with_model=several), group) for group in self.shown()]

    def as_json(self) -> list[dict[str, Any]]:
        """Return the groups as a JSON list."""
        return [group.as_json(self.radii) for group in self.shown()]

    def as_tsv(self) -> str:
        """Return the certificates in the format of the logs of arXiv 1902.02918, with -1 for abstentions."""
        return "\n".join(["idx\tlabel\tpredict\tradius\tcorrect\ttime", *self.lines])


def _on_common_images(groups: Sequence[CertificateGroup]) -> list[CertificateGroup]:
    """Return the groups without the images that another group lacks."""
    common = [image for image in groups[0].certificates if all(image in group.certificates for group in groups)]
    return [replace(group, certificates={image: group.certificates[image] for image in common}) for group in groups]


def _log_line(index: int, record: Record, certify: Any, label: object) -> str:
    predicted = -1 if certify["abstained"] else certify["class"]
    stages = [stage for stage in record.get("stages", []) if stage.get("tool") == "dp-classify"]
    minutes, seconds = divmod(float(stages[-1].get("seconds") or 0) if stages else 0.0, 60)
    hours, minutes = divmod(int(minutes), 60)
    time = f"{hours}:{minutes:02}:{seconds:09.6f}"
    return f"{index}\t{label}\t{predicted}\t{certify['radius']:.6g}\t{int(predicted == label)}\t{time}"
