"""Make adversarial versions of images that the classifier predicts correctly."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import TYPE_CHECKING

from dptools.attacks.attack import Attack
from dptools.errors import SampleError
from dptools.pipe.record import Record, reason
from dptools.pipe.sample import Sample
from dptools.tools.attack.defence import Defence
from dptools.tools.shared import LabelFrom, Labels, to_pixels, to_tensor

if TYPE_CHECKING:
    from torch import Tensor, nn

    from dptools.attacks import AttackResult
    from dptools.classifiers import Classifier


@dataclass(frozen=True)
class AttackProcessor:
    """Attacks samples with a loaded classifier.

    Attributes:
        classifier: The classifier to attack.
        attacks: The attacks. Each makes one adversarial image from every input.
        labels: Source of true labels.
        target: Index of the target class; None for untargeted attacks.
        defence: The defence that the attacker knows; None for an undefended classifier.
        seed: Seed of the run.
    """

    classifier: "Classifier"
    attacks: tuple[Attack, ...]
    labels: Labels
    target: int | None
    defence: Defence | None
    seed: int

    def expand(self, sample: Sample) -> Iterable[Sample]:
        """Yield one sample for each attack, with a label and with the image cropped to the classifier's input."""
        assert sample.pixels is not None
        # These results belong to the clean image, not to the adversarial one.
        clean = sample.without("classify", "suspicion", "suspect")
        cropped = replace(clean, pixels=self.classifier.geometry(sample.pixels))
        label = self._label(cropped)
        defence = self.defence.options.facts if self.defence else {}
        for attack in self.attacks:
            facts = {**_settings(attack, self.target), **defence}
            yield cropped.update(id=f"{sample.id}@{attack.name}", label=label, attack=facts)

    def params(self, sample: Sample) -> Record:
        model = {"model": self.classifier.name, "weights": self.classifier.weights}
        return {**sample.record["attack"], **model, "label": sample.record["label"]}

    def __call__(self, samples: Sequence[Sample]) -> Iterable[Sample]:
        """Attack the samples; consecutive samples with the same attack form one batch."""
        attacks = {attack.name: attack for attack in self.attacks}
        for name, group in groupby(samples, key=lambda sample: str(sample.record["attack"]["name"])):
            if self.defence:
                yield from (self._attack_defended(attacks[name], self.defence, sample) for sample in group)
            else:
                yield from self._attack(attacks[name], list(group))

    def _label(self, cropped: Sample) -> int:
        label = self.labels.find(cropped, self.classifier.classes)
        if label is not None:
            return label
        if self.labels.source is LabelFrom.PREDICTION:
            return int(self._scores(cropped, self.classifier).argmax())
        raise SampleError(
            "NoLabel", "no label: give --label, --label-from prediction, or a folder named by class, wnid or index"
        )

    def _attack(self, attack: Attack, samples: Sequence[Sample]) -> list[Sample]:
        checked = [self._check_clean(sample, self.classifier) for sample in samples]
        pending = [sample for sample in checked if not sample.finished]
        results = iter(self._perturb(attack, self.classifier, pending))
        return [sample if sample.finished else self._finish(sample, next(results)) for sample in checked]

    def _attack_defended(self, attack: Attack, defence: Defence, sample: Sample) -> Sample:
        """Attack the classifier behind the defence. Every sample gets its own model, because it has its own seed."""
        seed = sample.seed(self.seed, "defence:")
        model = defence.model(self.classifier, seed=seed, image_id=sample.id)
        checked = self._check_clean(sample, model)
        if checked.finished:
            return checked
        (result,) = self._perturb(attack, model, [sample], repair=False)
        return self._finish(checked, result)

    def _check_clean(self, sample: Sample, model: "nn.Module") -> Sample:
        """Return the sample with the prediction for the clean image. Skip it if there is nothing to attack."""
        label, target = sample.record["label"], sample.record["attack"].get("target")
        prediction = self._prediction(self._scores(sample, model), label, "clean")
        checked = sample.update(attack={**sample.record["attack"], "model": self.classifier.name, **prediction})
        name = prediction["clean_name"]
        if prediction["clean_label"] != label:
            behind = " behind the defence" if self.defence else ""
            message = f"{self.classifier.name}{behind} already predicts {name}"
            return checked.update(skipped=reason("dp-attack", "Misclassified", message))
        if target == label:
            return checked.update(skipped=reason("dp-attack", "IsTarget", f"{name} is already the target"))
        return checked

    def _perturb(
        self, attack: Attack, model: "nn.Module", samples: Sequence[Sample], *, repair: bool = True
    ) -> "list[AttackResult]":
        import torch

        from dptools.attacks import perturb

        if not samples:
            return []
        seeds = [sample.seed(self.seed) for sample in samples]
        labels = [sample.record["label"] for sample in samples]
        images = torch.cat([to_tensor(sample, self.classifier.device) for sample in samples])
        return perturb(attack, model, images, labels, seeds=seeds, target=self.target, repair=repair)

    def _finish(self, sample: Sample, result: "AttackResult") -> Sample:
        facts = {
            **self._prediction(result.scores, sample.record["label"], "adversarial"),
            "success": result.success,
            "success_float": result.success_float,
            **result.measurements,
            "norms": result.norms,
            "queries": result.queries,
        }
        return replace(sample.update(attack={**sample.record["attack"], **facts}), pixels=to_pixels(result.image))

    def _scores(self, sample: Sample, model: "nn.Module") -> "Tensor":
        import torch

        with torch.no_grad():
            scores: Tensor = model(to_tensor(sample, self.classifier.device))
        return scores[0]

    def _prediction(self, scores: "Tensor", label: int, kind: str) -> Record:
        """Return the predicted class, its probability and the rank of the label, with keys that start with ``kind``."""
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
    """Return the attack's name and settings for the record."""
    epsilon = {} if attack.epsilon is None else {"epsilon": attack.epsilon}
    return {"name": attack.name, "params": attack.settings, **epsilon, **({} if target is None else {"target": target})}
