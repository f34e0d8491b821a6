"""All that is gathered of a stream of records, for tables, figures and the report."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from dptools.evaluation.gating import Gating
from dptools.evaluation.keys import NONE, Record, by_attack, judged, method, parse_key
from dptools.evaluation.learning_curves import LearningCurve
from dptools.evaluation.metrics import Group, with_total
from dptools.evaluation.paired import Comparison
from dptools.texts import printable

EXAMPLES = 12
"""Attacks of which an image is shown."""


@dataclass
class Summary:
    """Counts that do not grow with the stream, and an example of each attack.

    Attributes:
        by: what the groups have in common: ``attack``, ``method``, or the path of a key.
        cells: groups by method and attack.
        examples: a restored record of each attack, the first of an image that is not shown yet.
        maps: the first records of maps.
        attacked: of the examples, the record as it was before restoration, where it is known.
        used: the programs, models and seeds that made the records, so many of each at most.
        comparison: with another file; None where there is none.
        courses: from traces.
        gating: what a gate before restoration brings, where records have a suspicion.
    """

    by: str = "attack"
    groups: dict[str, Group] = field(default_factory=dict)
    cells: dict[tuple[str, str], Group] = field(default_factory=dict)
    examples: dict[str, Record] = field(default_factory=dict)
    maps: list[Record] = field(default_factory=list)
    attacked: Mapping[str, Record] = field(default_factory=dict)
    used: dict[str, set[str]] = field(default_factory=dict)
    comparison: Comparison | None = None
    courses: list[LearningCurve] = field(default_factory=list)
    gating: Gating = field(default_factory=Gating)

    def __post_init__(self) -> None:
        self._name = parse_key(self.by)
        self.by = printable(self.by)

    def read(self, records: Iterable[Record]) -> None:
        """Take a stream in."""
        for record in records:
            self._count(record)
            self.gating.add(record)
            if self.comparison:
                self.comparison.add(record)
            if judged(record):
                self._show(record)
                self._note(record)

    @property
    def all_groups(self) -> list[Group]:
        """The groups in order of appearance; of attacks, with all of them together where there are several."""
        groups = list(self.groups.values())
        return with_total(groups) if self.by == "attack" else groups

    @property
    def failed(self) -> bool:
        """Some record did."""
        return any(group.counts["failed"] for group in self.groups.values())

    @property
    def methods(self) -> dict[str, tuple[Group, Group]]:
        """By method: its clean images, and its attacked ones."""
        found: dict[str, tuple[Group, Group]] = {}
        for (name, attack), group in self.cells.items():
            clean, attacked = found.setdefault(name, (Group("clean"), Group("attacked")))
            (clean if attack == NONE else attacked).merge(group)
        return found

    def as_json(self) -> dict[str, Any]:
        compared = {"comparison": self.comparison.as_json()} if self.comparison else {}
        traced = {"traces": [course.as_json() for course in self.courses]} if self.courses else {}
        gated = {"gate": self.gating.as_json()} if self.gating else {}
        return {"by": self.by, "groups": [group.as_json() for group in self.all_groups], **compared, **traced, **gated}

    def _count(self, record: Record) -> None:
        name, cell = self._name(record), (method(record), by_attack(record))
        self.groups.setdefault(name, Group(name)).add(record)
        self.cells.setdefault(cell, Group(" ".join(cell))).add(record)

    def _show(self, record: Record) -> None:
        attack = by_attack(record)
        if attack != NONE and "denoise" in record and "path" in record and self._better(record, attack):
            self.examples[attack] = record
        if "mapsext" in record and len(self.maps) < EXAMPLES:
            self.maps.append(record)

    def _better(self, record: Record, attack: str) -> bool:
        """An example that none stands for, or that shows an image which is not seen twice."""
        if attack not in self.examples:
            return len(self.examples) < EXAMPLES
        shown = [example.get("source") for example in self.examples.values()]
        return shown.count(self.examples[attack].get("source")) > 1 and record.get("source") not in shown

    def _note(self, record: Record) -> None:
        for entry in record.get("stages", []):
            self._add("program", f"{entry['tool']} {entry['version']}")
            if "seed" in entry:
                self._add("seed", str(entry["seed"]))
        for key in ("attack", "classify"):
            if model := record.get(key, {}).get("model"):
                self._add("model", str(model))

    def _add(self, what: str, value: str) -> None:
        found = self.used.setdefault(what, set())
        if len(found) < EXAMPLES:
            found.add(printable(value))
