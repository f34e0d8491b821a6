"""Make adversarial versions of images that the classifier predicts correctly."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby
from typing import TYPE_CHECKING

from dptools.attacks.attack import Attack
from dptools.errors import SampleError
from dptools.pipe.record import Record, reason
from dptools.pipe.sample import Sample
from dptools.pixels import to_pixels
from dptools.tools.attack import facts
from dptools.tools.attack.knowledge import Knowledge
from dptools.tools.shared import PREDICTIONS, LabelFrom, Labels, to_tensor

if TYPE_CHECKING:
    from torch import Tensor, nn

    from dptools.attacks import AttackResult, Judgement
    from dptools.classifiers import Classifier


@dataclass(frozen=True)
class AttackProcessor:
    """Attacks samples with a loaded classifier.

    Attributes:
        classifier: The classifier to attack.
        attacks: The attacks. Each makes one adversarial image from every input.
        labels: Source of true labels.
        target: Index of the target class; None for untargeted attacks.
        seed: Seed of the run.
        knowledge: What the attacker knows besides the classifier.
    """

    classifier: "Classifier"
    attacks: tuple[Attack, ...]
    labels: Labels
    target: int | None
    seed: int
    knowledge: Knowledge = field(default_factory=Knowledge)

    def expand(self, sample: Sample) -> Iterable[Sample]:
        """Yield one sample for each attack, with a label and with the image cropped to the classifier's input."""
        assert sample.pixels is not None
        # These results belong to the clean image, not to the adversarial one.
        clean = sample.without(*PREDICTIONS, "suspicion", "suspect")
        cropped = replace(clean, pixels=self.classifier.geometry(sample.pixels))
        label = self._label(cropped)
        for attack in self.attacks:
            planned = {**facts.settings(attack, self.target), **self.knowledge.facts(attack)}
            yield cropped.update(id=f"{sample.id}@{attack.name}", label=label, attack=planned)

    def params(self, sample: Sample) -> Record:
        known = self.knowledge.params(self.classifier.device)
        return {**sample.record["attack"], **self.classifier.params, **known, "label": sample.record["label"]}

    def __call__(self, samples: Sequence[Sample]) -> Iterable[Sample]:
        """Attack the samples; consecutive samples with the same attack form one batch."""
        attacks = {attack.name: attack for attack in self.attacks}
        for name, group in groupby(samples, key=lambda sample: str(sample.record["attack"]["name"])):
            if self.knowledge:
                yield from (self._attack_informed(attacks[name], sample) for sample in group)
            else:
                yield from self._attack(attacks[name], list(group))

    def _label(self, cropped: Sample) -> int:
        label = self.labels.find(cropped, self.classifier.classes)
        if label is not None:
            return label
        if self.labels.source is LabelFrom.PREDICTION:
            return self._assess(self.classifier, to_tensor(cropped, self.classifier.device)).majority
        folder = self.labels.folder(cropped)
        cause = f" (the folder {folder!r} is no class of {self.classifier.name})" if folder else ""
        ways = "--label, --label-from prediction, or a folder named by class, wnid or index"
        raise SampleError("NoLabel", f"no label: give {ways}{cause}")

    def _attack(self, attack: Attack, samples: Sequence[Sample]) -> list[Sample]:
        assessments = [self._assess(self.classifier, to_tensor(sample, self.classifier.device)) for sample in samples]
        checked = [self._check_clean(*pair) for pair in zip(samples, assessments, strict=True)]
        pending = [sample for sample in checked if not sample.finished]
        results = iter(self._perturb(attack, self.classifier, pending, target=self.target))
        return [sample if sample.finished else self._finish(sample, next(results)) for sample in checked]

    def _attack_informed(self, attack: Attack, sample: Sample) -> Sample:
        """Attack one sample with more than the classifier.

        Each sample gets its own defended model, because its random numbers follow from the sample's id.
        """
        knowledge, label = self.knowledge, sample.record["label"]
        victim = knowledge.victim(self.classifier, attack.name, sample, self.seed)
        clean = self._assess(victim, to_tensor(sample, self.classifier.device))
        checked = self._check_clean(sample, clean)
        if checked.finished:
            return checked
        model = knowledge.model(victim, attack.name, sample, self.seed)
        repair = knowledge.defence is None and knowledge.source is None
        aim = self._aim(attack, model, sample) if knowledge.detector else self.target
        (result,) = self._perturb(attack, model, [sample], target=aim, repair=repair)
        adversarial = result.judgement
        if model is not victim:
            adversarial = self._assess(victim, result.image)
            success = adversarial.is_success(label, self.target)
            # Success before rounding refers to the other model.
            result = replace(result, scores=adversarial.mean, success=success, success_float=None)
        finished = self._finish(checked, result, adversarial)
        if knowledge.defence:
            restorations = sum(getattr(part, "restorations", 0) for part in {victim, model})
            finished = _with_facts(
                finished, {**facts.judgement(clean, adversarial, label), "restorations": restorations}
            )
        if knowledge.detector:
            suspicion = knowledge.detector(to_pixels(result.image[0]), result.scores.softmax(dim=0).cpu())
            finished = _with_facts(finished, {"suspicion": suspicion, **({} if aim is None else {"aim": aim})})
        return finished

    def _aim(self, attack: Attack, model: "nn.Module", sample: Sample) -> int | None:
        """Return the class that the attack aims for.

        Views agree on a wrong class sooner if all are driven to the same one: the most probable besides the label.
        """
        if self.target is not None or attack.targets == "no":
            return self.target
        scores = self._assess(model, to_tensor(sample, self.classifier.device)).mean.clone()
        scores[sample.record["label"]] = -float("inf")
        return int(scores.argmax())

    def _assess(self, model: "nn.Module", image: "Tensor") -> "Judgement":
        """Return the judgement of an image, with one row of logits, or with one row for each draw of a defence."""
        import torch

        with torch.no_grad():
            return self._judgement(getattr(model, "judge", model)(image))

    def _judgement(self, logits: "Tensor") -> "Judgement":
        """Return the judgement that follows from logits, draws x classes.

        Raises:
            SampleError: A logit is not finite, so no class can be named.
        """
        from dptools.attacks import Judgement
        from dptools.classifiers import check_finite

        return Judgement(check_finite(logits, self.classifier.name))

    def _check_clean(self, sample: Sample, clean: "Judgement") -> Sample:
        """Return the sample with the prediction for the clean image. Skip it if there is nothing to attack."""
        label, target = sample.record["label"], sample.record["attack"].get("target")
        prediction = facts.prediction(clean, label, "clean", self.classifier.classes)
        judge = facts.judgement(clean, None, label) if self.knowledge.defence else {}
        checked = _with_facts(sample, {"model": self.classifier.name, **prediction, **judge})
        name = prediction["clean_name"]
        if prediction["clean_label"] != label:
            behind = " behind the defence" if self.knowledge.defence else ""
            message = f"{self.classifier.name}{behind} already predicts {name}"
            return checked.update(skipped=reason("dp-attack", "Misclassified", message))
        if target == label:
            return checked.update(skipped=reason("dp-attack", "IsTarget", f"{name} is already the target"))
        return checked

    def _perturb(
        self,
        attack: Attack,
        model: "nn.Module",
        samples: Sequence[Sample],
        *,
        target: int | None = None,
        repair: bool = True,
    ) -> "list[AttackResult]":
        import torch

        from dptools.attacks import perturb

        if not samples:
            return []
        seeds = [sample.seed(self.seed) for sample in samples]
        labels = [sample.record["label"] for sample in samples]
        images = torch.cat([to_tensor(sample, self.classifier.device) for sample in samples])
        return perturb(attack, model, images, labels, seeds=seeds, target=target, repair=repair)

    def _finish(self, sample: Sample, result: "AttackResult", adversarial: "Judgement | None" = None) -> Sample:
        """Return the sample with the adversarial image, and with the result in its record."""
        judgement = self._judgement(adversarial.logits if adversarial else result.scores[None])
        classes = self.classifier.classes
        prediction = facts.prediction(judgement, sample.record["label"], "adversarial", classes)
        return replace(_with_facts(sample, {**prediction, **facts.result(result)}), pixels=to_pixels(result.image[0]))


def _with_facts(sample: Sample, added: Record) -> Sample:
    """Return the sample with further fields in the ``attack`` object of its record."""
    return sample.update(attack={**sample.record["attack"], **added})
