"""What the attacker has to attack: the classifier alone, a defence in front of it, another classifier, a detector."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from dptools.attacks.attack import Attack
from dptools.pipe.record import Record
from dptools.pipe.sample import Sample
from dptools.tools.attack.defence import Defence
from dptools.tools.denoise.seeds import PURPOSE

if TYPE_CHECKING:
    import torch
    from torch import nn

    from dptools.classifiers import Classifier
    from dptools.detection import Detector


@dataclass(frozen=True)
class Knowledge:
    """What the attacker knows besides the classifier. If nothing is set, the attacker knows the classifier only.

    Attributes:
        defence: The purification method in front of the classifier.
        source: The classifier that the attacker has instead of the attacked one.
        detector: The detector whose views the attacker attacks, too.
    """

    defence: Defence | None = None
    source: "Classifier | None" = None
    detector: "Detector | None" = None

    def __bool__(self) -> bool:
        return bool(self.defence or self.source or self.detector)

    def facts(self, attack: Attack) -> Record:
        """Return the fields of the ``attack`` object of the record."""
        defence = self.defence.options.facts(attack.name) if self.defence else {}
        gradient = {} if attack.uses_gradients else {"gradient": "none"}
        source = {"transfer_from": self.source.name} if self.source else {}
        return {**defence, **gradient, **source, **({"evades": self.detector.name} if self.detector else {})}

    def params(self, device: "torch.device") -> Record:
        """Return what else the result depends on, for the cache key."""
        defence = self.defence.options.params(device) if self.defence else {}
        source = {"source_weights": self.source.weights} if self.source else {}
        calibration = self.detector.calibration if self.detector else None
        return {**defence, **source, **({"calibration": calibration.fingerprint} if calibration else {})}

    def victim(self, classifier: "nn.Module", attack: str, sample: Sample, seed: int) -> "nn.Module":
        """Return the classifier behind the defence.

        Args:
            classifier: The classifier.
            attack: The name of the attack.
            sample: The sample, whose id determines the random numbers.
            seed: The seed of the run.
        """
        return self._defended(classifier, attack, sample, seed, "defence:")

    def model(self, victim: "nn.Module", attack: str, sample: Sample, seed: int) -> "nn.Module":
        """Return the model that the attack computes with; the arguments are those of :meth:`victim`."""
        from dptools.attacks import TransferSource
        from dptools.detection import WatchedModel

        if self.source:
            # Draws of its own, so that those which judge the result are fresh.
            return TransferSource(self._defended(self.source, attack, sample, seed, "defence of the source:"))
        return WatchedModel(self.detector) if self.detector else victim

    def _defended(self, classifier: "nn.Module", attack: str, sample: Sample, seed: int, purpose: str) -> "nn.Module":
        if self.defence is None:
            return classifier
        # With fixed draws, the random numbers are those of dp-denoise for this record.
        purpose = PURPOSE if self.defence.options.fixed_draws else purpose
        return self.defence.model(classifier, attack, seed=sample.seed(seed, purpose), image_id=sample.id)
