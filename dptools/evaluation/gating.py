"""What a gate before restoration brings: whom it suspects, and what that costs in accuracy and saves in seconds."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from dptools.evaluation.keys import NONE, Record, by_attack, judged
from dptools.evaluation.metrics import CENTURY, Rate
from dptools.evaluation.separation import Area, Counts, area, curve

THRESHOLD = 0.95
"""The suspicion that 5 % of clean images have."""

CLEAN = "clean"

ALL = "all"

POLICIES = ("nothing", "suspects", "everything")
"""What may be restored."""


@dataclass
class Outcome:
    """What became of clean or of attacked images when so much was restored.

    Attributes:
        counts: how many are right, by ``top1`` and ``top5``, and how many there are, by ``n``; of them ``restored``.
        seconds: of those that say how long they took, ``timed`` of them.
    """

    counts: Counter[str] = field(default_factory=Counter)
    seconds: float = 0.0

    def add(self, rank: int | None, restored: bool, seconds: float | None) -> None:
        if rank is not None:
            self.counts.update(n=1, top1=rank <= 1, top5=rank <= 5)
        self.counts.update(images=1, restored=restored, timed=seconds is not None)
        self.seconds += seconds or 0.0

    def rate(self, top: str) -> Rate:
        return Rate(self.counts[top], self.counts["n"])

    @property
    def restored(self) -> Rate:
        return Rate(self.counts["restored"], self.counts["images"])

    @property
    def mean_seconds(self) -> float | None:
        """For an image, on average; None unless all records say so: of what was reused, none does."""
        return self.seconds / self.counts["images"] if self.counts["timed"] == self.counts["images"] > 0 else None

    def as_json(self) -> dict[str, Any]:
        rates = {"top1": self.rate("top1"), "top5": self.rate("top5"), "restored": self.restored}
        return {**{name: rate.as_json() for name, rate in rates.items()}, "seconds": self.mean_seconds}


@dataclass
class Gating:
    """Counts of records that have a suspicion.

    A record that was restored without a gate tells what would have become of it behind one too: its image was looked at
    before, with the rank that its label had then. One that passed a gate tells of that gate only.

    Attributes:
        threshold: of the gate where there was none.
        scores: suspicions by attack; those of clean images under :data:`CLEAN`.
        outcomes: by policy, for clean and for attacked images.
    """

    threshold: float = THRESHOLD
    scores: dict[str, Counts] = field(default_factory=dict)
    outcomes: dict[tuple[str, bool], Outcome] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.scores)

    def add(self, record: Record) -> None:
        score, attack = record.get("suspicion"), by_attack(record)
        if not judged(record) or not isinstance(score, int | float):
            return
        if attack != NONE and not record["attack"].get("success", True):
            return  # neither clean nor adversarial
        self.scores.setdefault(CLEAN if attack == NONE else attack, Counter())[round(score, 4)] += 1
        for policy, rank, restored, seconds in self._policies(record, score):
            self.outcomes.setdefault((policy, attack != NONE), Outcome()).add(rank, restored, seconds)

    def flagged(self, name: str) -> Rate:
        """The share of a group that is suspect."""
        scores = self.all_scores[name]
        return Rate(sum(count for score, count in scores.items() if score >= self.threshold), scores.total())

    def area(self, name: str) -> Area | None:
        """How well an attack is told from clean images."""
        return area(self.scores.get(CLEAN, Counter()), self.all_scores[name])

    @property
    def all_scores(self) -> dict[str, Counts]:
        """Those of clean images first, and those of all attacks together last, where there are several."""
        attacks = {name: scores for name, scores in self.scores.items() if name != CLEAN}
        clean = {CLEAN: self.scores[CLEAN]} if CLEAN in self.scores else {}
        return {**clean, **attacks, **({ALL: sum(attacks.values(), Counter())} if len(attacks) > 1 else {})}

    @property
    def curves(self) -> dict[str, Sequence[tuple[float, float]]]:
        """The ROC curve of each attack."""
        clean = self.scores.get(CLEAN)
        return {name: curve(clean, scores) for name, scores in self.all_scores.items() if clean and name != CLEAN}

    def outcome(self, policy: str, attacked: bool) -> Outcome:
        return self.outcomes.get((policy, attacked), Outcome())

    def as_json(self) -> dict[str, Any]:
        groups = [
            {"name": name, "area": found.as_json() if (found := self._area(name)) else None}
            | {"suspect": self.flagged(name).as_json()}
            for name in self.all_scores
        ]
        restored = {
            policy: {
                kind: self.outcome(policy, attacked).as_json()
                for kind, attacked in (("clean", False), ("attacked", True))
            }
            for policy in POLICIES
        }
        return {"threshold": self.threshold, "groups": groups, "restored": restored}

    def _area(self, name: str) -> Area | None:
        return None if name == CLEAN else self.area(name)

    def _policies(self, record: Record, score: float) -> Iterator[tuple[str, int | None, bool, float | None]]:
        """For each policy that the record tells of: the label's rank, whether it is restored, and the seconds."""
        done, before = record.get("denoise"), record.get("suspect", {}).get("label_rank")
        after = record.get("classify", {}).get("label_rank")
        look, restoration = _seconds(record, "dp-classify"), _seconds(record, "dp-denoise")
        yield "nothing", before, False, None
        if done is None:
            return
        gate = done.get("gate")
        suspect = gate["suspect"] if gate else score >= self.threshold
        spent = None if look is None or (suspect and restoration is None) else look + (restoration or 0.0) * suspect
        yield "suspects", after if suspect or gate else before, suspect, spent
        if not gate:
            yield "everything", after, True, restoration


def _seconds(record: Record, tool: str) -> float | None:
    """That a tool took for it; of dp-classify's runs, the last one that told the suspicion."""
    for entry in reversed(record.get("stages", [])):
        if entry.get("tool") == tool and (tool != "dp-classify" or "suspect" in entry.get("params", {})):
            seconds = entry.get("seconds")
            return seconds if isinstance(seconds, int | float) and seconds < CENTURY else None
    return None
