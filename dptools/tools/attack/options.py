"""The options of dp-attack."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from dptools.attacks.attack import Attack
from dptools.classifiers.names import ClassifierOptions, has_gradients, is_file, is_service
from dptools.detection import Calibration, load_detector
from dptools.errors import UsageError
from dptools.pipe.stage import ToolOptions
from dptools.tools.attack.defence import DefenceOptions
from dptools.tools.attack.settings import option_errors, without_gradients
from dptools.tools.classifier_options import check_calibrated
from dptools.tools.shared import Labels, class_index

if TYPE_CHECKING:
    from dptools.classifiers import Classifier
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
        transfer_from: Name of the classifier that the attacker has instead of ``model``; None if it has ``model``.
        evade_suspicion: Whether the attacker also attacks the views of the detector of dp-classify.
        calibration: The calibration of that detector; None for that of the default classifier.
        seed: Seed of the run.
    """

    tool = "dp-attack"
    key = "attack"
    gpu_batch = 16
    lossless_reason = "compression changes the pixels, and an attack is judged on the pixels of its file"

    attacks: tuple[Attack, ...]
    model: str
    classifier_options: ClassifierOptions = field(default_factory=ClassifierOptions)
    device: str = "auto"
    labels: Labels = field(default_factory=Labels)
    target: str | None = None
    defence: DefenceOptions = field(default_factory=DefenceOptions)
    transfer_from: str | None = None
    evade_suspicion: bool = False
    calibration: Calibration | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        if self.evade_suspicion and (self.defence.through or self.transfer_from):
            raise UsageError("--evade-suspicion excludes --through and --transfer-from")
        if self.evade_suspicion and is_service(self.model):
            raise UsageError(f"--evade-suspicion needs networks on this machine, and {self.model} is a service")
        if self.evade_suspicion:
            check_calibrated("--evade-suspicion", self.model, self.classifier_options, self.calibration)
        elif self.calibration:
            raise UsageError("--calibration requires --evade-suspicion")
        self._check_gradients()

    def _check_gradients(self) -> None:
        """Check that the classifier with which the attacks compute has gradients if they need them.

        Raises:
            UsageError: It has none.
        """
        model = self.transfer_from or self.model
        for attack in self.attacks:
            if attack.uses_gradients and not has_gradients(model):
                where = "a service" if is_service(model) else "ONNX Runtime"
                transfer = ", or transfer the attack from another classifier with --transfer-from"
                raise UsageError(
                    f"{attack.name} needs gradients, and {model} has none, because {where} computes it: "
                    f"choose {without_gradients(targeted=self.target is not None)}{transfer * (not self.transfer_from)}"
                )

    @property
    def id_suffixes(self) -> tuple[str, ...]:
        return tuple(f"@{attack.name}" for attack in self.attacks)

    @property
    def unbatched(self) -> bool:
        return is_service(self.model) or is_service(self.transfer_from or "")

    def load(self) -> "AttackProcessor":
        from dptools.classifiers import load
        from dptools.classifiers.local.own import check_gradient
        from dptools.tools.attack.knowledge import Knowledge
        from dptools.tools.attack.processor import AttackProcessor

        classifier = load(self.model, device=self.device, **vars(self.classifier_options))
        source = self._source(classifier)
        if any(attack.uses_gradients for attack in self.attacks):
            check_gradient(source or classifier)
        self.labels.check(classifier.classes)
        target = None if self.target is None else class_index(self.target, classifier.classes)
        with option_errors():
            for attack in self.attacks:
                attack.check(targeted=target is not None, values_per_image=3 * classifier.geometry.crop**2)
        defence = self.defence.load(classifier.device)
        detector = load_detector(None, classifier, self.device, self.calibration) if self.evade_suspicion else None
        knowledge = Knowledge(defence, source, detector)
        return AttackProcessor(classifier, self.attacks, self.labels, target, self.seed, knowledge)

    def _source(self, classifier: "Classifier") -> "Classifier | None":
        """Return the classifier that the attacker has instead; None if it has the attacked one."""
        from dptools.classifiers import load

        if self.transfer_from is None:
            return None
        given, own = self.classifier_options, ":" in self.transfer_from or is_file(self.transfer_from)
        sized = {"classes": given.classes, "size": classifier.geometry.crop if own else None}
        options = {"timeout": given.timeout} if is_service(self.transfer_from) else sized
        source = load(self.transfer_from, device=self.device, directory=given.directory, **options)
        if source.classes != classifier.classes:
            raise UsageError(f"--transfer-from {self.transfer_from}: its classes differ from those of {self.model}")
        return source
