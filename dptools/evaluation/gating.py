"""Evaluate a gate that purifies only suspect images: detection, accuracy and cost."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from dptools.evaluation.gate_policies import POLICIES, PolicyStatistics, policy_outcomes
from dptools.evaluation.image_counts import ImageCounts, Name
from dptools.evaluation.intervals import Rate
from dptools.evaluation.keys import ALL, NONE, Record, attack_name, is_scored, method, source_image
from dptools.evaluation.roc import Auc, Scores, auc, roc_curve

THRESHOLD = 0.95
"""The default threshold. About 5 % of clean images have a suspicion (calibrated score) of 0.95 or more."""

CLEAN = "clean"
"""The name of the group of clean images."""


@dataclass
class GateEvaluation:
    """Statistics of the records that have a suspicion.

    Images on which an attack did not succeed are left out: they are neither clean nor adversarial.

    Attributes:
        threshold: Images with this suspicion or more are suspect. For a record that passed a gate, the policies use
            the gate's decision instead.
        scores: Numbers of images by suspicion, by attack; those of clean images under :data:`CLEAN`.
        suspects: Numbers of images (``n``) and of suspect ones (``suspect``) by attack, as in ``scores``.
        statistics: Accuracy and cost by policy and by whether the images are attacked.
        methods: The methods that purified the images. The statistics combine them.
    """

    threshold: float = THRESHOLD
    scores: dict[str, ImageCounts[float]] = field(default_factory=dict)
    suspects: dict[str, ImageCounts[str]] = field(default_factory=dict)
    statistics: dict[tuple[str, bool], PolicyStatistics] = field(default_factory=dict)
    methods: dict[str, None] = field(default_factory=dict)

    def __bool__(self) -> bool:
        """Return whether any record has a suspicion."""
        return bool(self.scores)

    def add(self, record: Record) -> None:
        """Count a record. Records without a suspicion are ignored."""
        score, attack = record.get("suspicion"), attack_name(record)
        if not is_scored(record) or not isinstance(score, int | float):
            return
        if attack != NONE and not record["attack"].get("success", True):
            return
        name = CLEAN if attack == NONE else attack
        image = source_image(record)
        self.scores.setdefault(name, ImageCounts()).find(image)[round(score, 4)] += 1  # rounding bounds the memory
        self.suspects.setdefault(name, ImageCounts()).find(image).update(n=1, suspect=score >= self.threshold)
        if "denoise" in record:
            self.methods[method(record)] = None
        for outcome in policy_outcomes(record, score, self.threshold):
            self.statistics.setdefault((outcome.policy, attack != NONE), PolicyStatistics()).add(image, outcome)

    def suspect_rate(self, name: str) -> Rate:
        """Return the rate of suspect images in a group."""
        return _merged(self.suspects, name).rate("suspect", "n")

    def auc(self, name: str) -> Auc | None:
        """Return the area under the ROC curve of a group against clean images; None for the clean images."""
        return None if name == CLEAN else auc(_merged(self.scores, CLEAN), _merged(self.scores, name))

    @property
    def all_scores(self) -> dict[str, Scores]:
        """Return the suspicions by group: clean images, each attack, and the total if there are several attacks."""
        attacks = [name for name in self.scores if name != CLEAN]
        names = [CLEAN] * (CLEAN in self.scores) + attacks + [ALL] * (len(attacks) > 1)
        return {name: _merged(self.scores, name).total() for name in names}

    @property
    def curves(self) -> dict[str, Sequence[tuple[float, float]]]:
        """Return the ROC curve of each attack; empty if there are no clean images."""
        scores = self.all_scores
        clean = scores.pop(CLEAN, None)
        return {name: roc_curve(clean, attacked) for name, attacked in scores.items() if clean}

    def policy(self, policy: str, attacked: bool) -> PolicyStatistics:
        """Return the statistics of a policy for clean or attacked images."""
        return self.statistics.get((policy, attacked), PolicyStatistics())

    def as_json(self) -> dict[str, Any]:
        """Return the evaluation as a JSON object, documented in dp-eval(1)."""
        groups = [
            {
                "name": name,
                "area": area.as_json() if (area := self.auc(name)) else None,
                "suspect": self.suspect_rate(name).as_json(),
            }
            for name in self.all_scores
        ]
        restored = {
            policy: {
                kind: self.policy(policy, attacked).as_json()
                for kind, attacked in (("clean", False), ("attacked", True))
            }
            for policy in POLICIES
        }
        return {"threshold": self.threshold, "groups": groups, "restored": restored}


def _merged(groups: Mapping[str, ImageCounts[Name]], name: str) -> ImageCounts[Name]:
    """Return the counts of a group; of all attacks for :data:`ALL`."""
    counts: ImageCounts[Name] = ImageCounts()
    for group, part in groups.items():
        if group == name or (name == ALL and group != CLEAN):
            counts.merge(part)
    return counts
