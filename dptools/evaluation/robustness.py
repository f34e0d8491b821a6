"""Robust accuracy: how many images stay correct under attacks whose perturbation is bounded, or that know a defence."""

from collections.abc import Iterable
from dataclasses import dataclass, field, fields, replace
from typing import Any

from dptools.evaluation.intervals import Rate
from dptools.evaluation.keys import Record, source_image
from dptools.evaluation.run_key import RunKey, names, run_key


@dataclass(frozen=True)
class Outcome:
    """What an attack did to one image.

    Attributes:
        clean: Whether the clean image is classified correctly, by most draws of the defence.
        share: Fraction of draws that classify the attacked image correctly. It is 0 if the clean image is wrong.
        majority: Whether most draws do.
        restorations: Number of purified images.
        seconds: Seconds of dp-attack.
    """

    clean: bool
    share: float
    majority: bool
    restorations: int
    seconds: float


@dataclass
class Run:
    """One attack on many images.

    Attributes:
        key: Its settings.
        outcomes: The outcomes by source image.
    """

    key: RunKey
    outcomes: dict[str, Outcome] = field(default_factory=dict)

    @property
    def clean(self) -> Rate:
        """Clean accuracy."""
        return self._rate(outcome.clean for outcome in self.outcomes.values())

    @property
    def majority(self) -> Rate:
        """Robust accuracy by majority vote of the draws."""
        return self._rate(outcome.majority for outcome in self.outcomes.values())

    @property
    def worst(self) -> Rate:
        """Robust accuracy in the worst case: all draws are correct."""
        return self._rate(outcome.share == 1 for outcome in self.outcomes.values())

    @property
    def mean(self) -> float:
        """Robust accuracy as the mean over draws and images. Requires an image."""
        return sum(outcome.share for outcome in self.outcomes.values()) / len(self.outcomes)

    def as_json(self) -> dict[str, Any]:
        """Return the run as a JSON object, documented in dp-eval(1)."""
        rates = {name: getattr(self, name).as_json() for name in ("clean", "majority", "worst")}
        settings = {part.name: getattr(self.key, part.name) for part in fields(self.key)}
        costs = {
            name: sum(getattr(outcome, name) for outcome in self.outcomes.values())
            for name in ("restorations", "seconds")
        }
        return {**settings, **rates, "mean": self.mean, **costs}

    @staticmethod
    def _rate(correct: Iterable[bool]) -> Rate:
        values = list(correct)
        return Rate(sum(values), len(values))


@dataclass
class Robustness:
    """All runs in a stream of records of dp-attack.

    Attributes:
        runs: The runs by their settings.
    """

    runs: dict[RunKey, Run] = field(default_factory=dict)

    def add(self, record: Record) -> None:
        """Count a record of an attack that has a limit or that knows a defence, unless it failed."""
        attack, label = record.get("attack", {}), record.get("label")
        if "error" in record or not isinstance(label, int) or not isinstance(attack.get("clean_label"), int):
            return
        if not ("epsilon" in attack or "through" in attack):
            return
        if attack["clean_label"] == label and "success" not in attack:  # it is the target, and was not attacked
            return
        key = run_key(attack)
        run = self.runs.setdefault(key, Run(key))
        run.outcomes[source_image(record)] = outcome(record)

    def __bool__(self) -> bool:
        return bool(self.runs)

    @property
    def several_models(self) -> bool:
        """Whether several classifiers were attacked."""
        return len({key.model for key in self.runs}) > 1

    def together(self, threat: tuple[Any, ...]) -> Rate:
        """Return the accuracy under all attacks of a threat: an image counts if it resists each attack tried on it."""
        resists: dict[str, bool] = {}
        for run in self.of_threat(threat):
            for source, result in run.outcomes.items():
                resists[source] = resists.get(source, True) and result.majority
        return Rate(sum(resists.values()), len(resists))

    def of_threat(self, threat: tuple[Any, ...]) -> list[Run]:
        """Return the runs of attackers who know everything but the random numbers, against a threat."""
        return [run for key, run in self.runs.items() if key.threat == threat and key.knows_all]

    @property
    def threats(self) -> list[tuple[Any, ...]]:
        """The threats, in order of appearance."""
        return list(dict.fromkeys(key.threat for key in self.runs if key.knows_all))

    def curves(self, quantity: str) -> dict[str, list[Run]]:
        """Return the runs that differ in one quantity only, in its order, by a name; curves of one point are left out.

        Args:
            quantity: ``epsilon`` or ``steps``.
        """
        curves: dict[tuple[Any, ...], list[Run]] = {}
        for key, run in self.runs.items():
            if getattr(key, quantity) is not None:
                curves.setdefault(key.without(quantity), []).append(run)
        changes: dict[str, Any] = {quantity: None}
        by_key = {replace(runs[0].key, **changes): runs for runs in curves.values() if len(runs) > 1}
        named = {}
        for key, name in names(by_key).items():
            named[f"{name}{key.behind}"] = sorted(by_key[key], key=lambda run: float(getattr(run.key, quantity)))
        return named

    def as_json(self) -> list[dict[str, Any]]:
        """Return the runs as a JSON list."""
        return [run.as_json() for run in self.runs.values()]


def outcome(record: Record) -> Outcome:
    """Return what an attack did to the image of a record."""
    attack, label = record["attack"], record["label"]
    stages = [stage for stage in record.get("stages", []) if stage.get("tool") == "dp-attack"]
    seconds = sum(float(stage.get("seconds") or 0) for stage in stages)
    costs = attack.get("restorations", 0), seconds
    clean, judge = attack["clean_label"] == label, attack.get("judge") or {}
    if not clean or "success" not in attack:
        return Outcome(clean, 0.0, False, *costs)
    correct, share = attack.get("adversarial_label") == label, judge.get("correct")
    majority = judge.get("majority_correct", correct)
    return Outcome(True, float(share if isinstance(share, int | float) else correct), bool(majority), *costs)
