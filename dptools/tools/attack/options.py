"""The options of dp-attack."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from dptools.attacks.attack import Attack
from dptools.classifiers.names import ClassifierOptions, is_service
from dptools.pipe.stage import ToolOptions
from dptools.tools.attack.defence import DefenceOptions
from dptools.tools.attack.settings import option_errors
from dptools.tools.shared import Labels, class_index

if TYPE_CHECKING:
    from dptools.tools.attack.processor import AttackProcessor


@dataclass(frozen=True)
class AttackOptions(ToolOptions):
    """Options of dp-attack.

    Attributes:
        attacks: The attacks. Each makes one adversarial image from every input.
        model: Name of the classifier.
        classifier_options: Options for loading the classifier.
        device: Device to compute on.
        labels: Source of true labels.
        target: Target class as the user names it; None for untargeted attacks.
        defence: The defence that the attacker knows.
        seed: Seed of the run.
    """

    tool = "dp-attack"
    key = "attack"
    gpu_batch = 16

    attacks: tuple[Attack, ...]
    model: str
    classifier_options: ClassifierOptions = field(default_factory=ClassifierOptions)
    device: str = "auto"
    labels: Labels = field(default_factory=Labels)
    target: str | None = None
    defence: DefenceOptions = field(default_factory=DefenceOptions)
    seed: int = 0

    @property
    def id_suffixes(self) -> tuple[str, ...]:
        return tuple(f"@{attack.name}" for attack in self.attacks)

    @property
    def unbatched(self) -> bool:
        return is_service(self.model)

    def load(self) -> "AttackProcessor":
        from dptools.classifiers import load
        from dptools.tools.attack.processor import AttackProcessor

        classifier = load(self.model, device=self.device, **vars(self.classifier_options))
        self.labels.check(classifier.classes)
        target = None if self.target is None else class_index(self.target, classifier.classes)
        with option_errors():
            for attack in self.attacks:
                attack.check(targeted=target is not None, values_per_image=3 * classifier.geometry.crop**2)
        defence = self.defence.load(classifier.device)
        return AttackProcessor(classifier, self.attacks, self.labels, target, defence, self.seed)
