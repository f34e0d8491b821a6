"""dp-attack: adversarial images out of images that the classifier gets right."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby
from typing import TYPE_CHECKING

from dptools.attacks.attack import Attack
from dptools.attacks.settings import check_budget
from dptools.classifiers.names import ClassifierOptions, is_service
from dptools.errors import SampleError
from dptools.pipe.record import Record, reason
from dptools.pipe.sample import Sample
from dptools.pipe.stage import ToolOptions
from dptools.tools.attack.defence import DefenceOptions
from dptools.tools.shared import LabelFrom, Labels, class_index, to_pixels, to_tensor

if TYPE_CHECKING:
    from torch import Tensor, nn

    from dptools.attacks import AttackResult
    from dptools.classifiers import Classifier


@dataclass(frozen=True)
class AttackOptions(ToolOptions):
    """Options of dp-attack.

    Attributes:
        attacks: each makes one image of every input.
        given: what is said of the classifier besides its name.
        target: the class to reach, as a person writes it; None where any but the label will do.
        adversary: what the attacker knows besides the classifier.
    """

    tool = "dp-attack"
    key = "attack"
    gpu_batch = 16

    attacks: tuple[Attack, ...]
    model: str
    given: ClassifierOptions = field(default_factory=ClassifierOptions)
    device: str = "auto"
    labels: Labels = field(default_factory=Labels)
    target: str | None = None
    adversary: DefenceOptions = field(default_factory=DefenceOptions)
    seed: int = 0

    @property
    def variants(self) -> tuple[str, ...]:
        return tuple(f"@{attack.name}" for attack in self.attacks)

    @property
    def alone(self) -> bool:
        return is_service(self.model)

    def load(self) -> "AttackProcessor":
        from dptools.classifiers import load

        classifier = load(self.model, device=self.device, **vars(self.given))
        self.labels.check(classifier.classes)
        for attack in self.attacks:
            check_budget(attack, 3 * classifier.geometry.crop**2)
        target = None if self.target is None else class_index(self.target, classifier.classes)
        return AttackProcessor(self, classifier, target, {attack.name: attack for attack in self.attacks})


@dataclass(frozen=True)
class AttackProcessor:
    """dp-attack with its classifier loaded."""

    options: AttackOptions
    classifier: "Classifier"
    target: int | None
    attacks: dict[str, Attack]

    def expand(self, sample: Sample) -> Iterable[Sample]:
        """One for each attack, with its label settled, cut to what the classifier sees."""
        assert sample.pixels is not None
        clean = sample.without("classify", "suspicion", "suspect")  # they were said of the clean image
        fitted = replace(clean, pixels=self.classifier.geometry(sample.pixels))
        label = self._label(fitted)
        for attack in self.options.attacks:
            facts = {**_settings(attack, self.target), **self.options.adversary.facts}
            yield fitted.update(id=f"{sample.id}@{attack.name}", label=label, attack=facts)

    def params(self, sample: Sample) -> Record:
        facts = sample.record["attack"]
        model = {"model": self.classifier.name, "weights": self.classifier.weights}
        return {**facts, **model, "label": sample.record["label"]}

    def __call__(self, samples: Sequence[Sample]) -> Iterable[Sample]:
        """Those of one attack are attacked together; they come one after the other."""
        for name, group in groupby(samples, key=lambda sample: str(sample.record["attack"]["name"])):
            yield from self._attack(self.attacks[name], list(group))

    def _label(self, fitted: Sample) -> int:
        label = self.options.labels.find(fitted, self.classifier.classes)
        if label is not None:
            return label
        if self.options.labels.source is LabelFrom.PREDICTION:
            return int(self._scores(fitted).argmax())
        raise SampleError(
            "NoLabel", "no label: give --label, --label-from prediction, or a folder named by class, wnid or index"
        )

    def _scores(self, sample: Sample, victim: "nn.Module | None" = None) -> "Tensor":
        import torch

        with torch.no_grad():
            scores: Tensor = (victim or self.classifier)(to_tensor(sample, self.classifier.device))
        return scores[0]

    def _attack(self, attack: Attack, samples: Sequence[Sample]) -> list[Sample]:
        if self.options.adversary.through:
            return [self._through(attack, sample) for sample in samples]
        looked = [self._look(sample, self.classifier) for sample in samples]
        outcomes = iter(self._perturb(attack, [sample for sample in looked if not sample.finished]))
        return [sample if sample.finished else self._done(sample, next(outcomes)) for sample in looked]

    def _through(self, attack: Attack, sample: Sample) -> Sample:
        """One image, whose classifier has a defence of its own before it."""
        from dptools.attacks import perturb

        seed = sample.seed(self.options.seed, "defence:")
        victim = self.options.adversary.victim(self.classifier, seed, sample.id)
        looked = self._look(sample, victim)
        if looked.finished:
            return looked
        image, label = to_tensor(sample, self.classifier.device), sample.record["label"]
        seeds = [sample.seed(self.options.seed)]
        (outcome,) = perturb(attack, victim, image, [label], seeds=seeds, target=self.target, repair=False)
        return self._done(looked, outcome)

    def _look(self, sample: Sample, victim: "nn.Module") -> Sample:
        """The sample with what is said of it before it is attacked; skipped where there is nothing to attack."""
        label, target = sample.record["label"], sample.record["attack"].get("target")
        found = self._prediction(self._scores(sample, victim), label, "clean")
        seen = sample.update(attack={**sample.record["attack"], "model": self.classifier.name, **found})
        name = found["clean_name"]
        if found["clean_label"] != label:
            behind = " behind the defence" if self.options.adversary.through else ""
            why = reason("dp-attack", "Misclassified", f"{self.classifier.name}{behind} already sees {name}")
            return seen.update(skipped=why)
        if target == label:
            return seen.update(skipped=reason("dp-attack", "IsTarget", f"{name} is the target already"))
        return seen

    def _perturb(self, attack: Attack, samples: Sequence[Sample]) -> "list[AttackResult]":
        import torch

        from dptools.attacks import perturb

        if not samples:
            return []
        seeds = [sample.seed(self.options.seed) for sample in samples]
        labels = [sample.record["label"] for sample in samples]
        images = torch.cat([to_tensor(sample, self.classifier.device) for sample in samples])
        return perturb(attack, self.classifier, images, labels, seeds=seeds, target=self.target)

    def _done(self, sample: Sample, outcome: "AttackResult") -> Sample:
        found = {
            **self._prediction(outcome.scores, sample.record["label"], "adversarial"),
            "success": outcome.success,
            "success_float": outcome.success_float,
            **outcome.facts,
            "norms": outcome.norms,
            "queries": outcome.queries,
        }
        return replace(sample.update(attack={**sample.record["attack"], **found}), pixels=to_pixels(outcome.image))

    def _prediction(self, scores: "Tensor", label: int, kind: str) -> Record:
        """What the classifier says of an image: its class, that class's probability, and the rank of the true one."""
        from dptools.classifiers import rank

        probabilities = scores.float().softmax(dim=0).cpu()
        predicted = int(probabilities.argmax())
        return {
            f"{kind}_label": predicted,
            f"{kind}_name": self.classifier.classes.names[predicted],
            f"{kind}_p": round(float(probabilities[predicted]), 4),
            f"{kind}_rank": rank(probabilities, label),
        }


def _settings(attack: Attack, target: int | None) -> Record:
    """How an attack is set, for the record."""
    limits = {} if attack.epsilon is None else {"epsilon": attack.epsilon}
    return {"name": attack.name, "params": attack.settings, **limits, **({} if target is None else {"target": target})}
