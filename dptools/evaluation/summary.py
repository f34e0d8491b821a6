"""Summary of a stream of records, from which tables, figures and reports are made."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from dptools.evaluation.gating import GateEvaluation
from dptools.evaluation.keys import NONE, Record, attack_name, is_scored, method, parse_key
from dptools.evaluation.learning_curves import LearningCurve
from dptools.evaluation.metrics import Group, with_total
from dptools.evaluation.paired import Comparison
from dptools.texts import printable

MAX_EXAMPLES = 12
"""Maximum number of example images, of maps, and of values of each kind of :attr:`Summary.provenance`."""


@dataclass
class Summary:
    """Counts over a stream of records, and one example per attack.

    The size does not grow with the length of the stream, apart from ``attacked`` and ``comparison``.

    Attributes:
        by: The key of the groups: ``attack``, ``method``, or the dotted path of any key.
        groups: Groups by name, in order of appearance.
        cells: Groups by method and attack.
        examples: One record of a purified image for each attack. Examples show different images where possible.
        maps: The first records of maps.
        attacked: Records before purification by id, for figures.
        provenance: Programs, models and seeds that the records name.
        comparison: The comparison with another file; None without one.
        curves: Learning curves from traces.
        gate: Evaluation of a gate, from the records that have a suspicion.
    """

    by: str = "attack"
    groups: dict[str, Group] = field(default_factory=dict)
    cells: dict[tuple[str, str], Group] = field(default_factory=dict)
    examples: dict[str, Record] = field(default_factory=dict)
    maps: list[Record] = field(default_factory=list)
    attacked: Mapping[str, Record] = field(default_factory=dict)
    provenance: dict[str, set[str]] = field(default_factory=dict)
    comparison: Comparison | None = None
    curves: list[LearningCurve] = field(default_factory=list)
    gate: GateEvaluation = field(default_factory=GateEvaluation)

    def __post_init__(self) -> None:
        self._group_name = parse_key(self.by)
        self.by = printable(self.by)

    def read(self, records: Iterable[Record]) -> None:
        """Count all records of a stream."""
        for record in records:
            self._count(record)
            self.gate.add(record)
            if self.comparison:
                self.comparison.add(record)
            if is_scored(record):
                self._keep_example(record)
                self._keep_provenance(record)

    @property
    def all_groups(self) -> list[Group]:
        """Return the groups in order of appearance; if grouped by attack, followed by their total."""
        groups = list(self.groups.values())
        return with_total(groups) if self.by == "attack" else groups

    @property
    def failed(self) -> bool:
        """Return whether any record failed."""
        return any(group.counts["failed"] for group in self.groups.values())

    @property
    def methods(self) -> dict[str, tuple[Group, Group]]:
        """Return the group of clean images and the group of attacked images of each method."""
        methods: dict[str, tuple[Group, Group]] = {}
        for (name, attack), group in self.cells.items():
            clean, attacked = methods.setdefault(name, (Group("clean"), Group("attacked")))
            (clean if attack == NONE else attacked).merge(group)
        return methods

    def as_json(self) -> dict[str, Any]:
        """Return the summary as a JSON object, documented in dp-eval(1)."""
        summary: dict[str, Any] = {"by": self.by, "groups": [group.as_json() for group in self.all_groups]}
        if self.comparison:
            summary["comparison"] = self.comparison.as_json()
        if self.curves:
            summary["traces"] = [curve.as_json() for curve in self.curves]
        if self.gate:
            summary["gate"] = self.gate.as_json()
        return summary

    def _count(self, record: Record) -> None:
        name, cell = self._group_name(record), (method(record), attack_name(record))
        self.groups.setdefault(name, Group(name)).add(record)
        self.cells.setdefault(cell, Group(" ".join(cell))).add(record)

    def _keep_example(self, record: Record) -> None:
        attack = attack_name(record)
        if attack != NONE and "denoise" in record and "path" in record and self._is_better_example(record, attack):
            self.examples[attack] = record
        if "mapsext" in record and len(self.maps) < MAX_EXAMPLES:
            self.maps.append(record)

    def _is_better_example(self, record: Record, attack: str) -> bool:
        """Return whether a record is the first of its attack, or replaces an image that other examples show too."""
        if attack not in self.examples:
            return len(self.examples) < MAX_EXAMPLES
        sources = [example.get("source") for example in self.examples.values()]
        return sources.count(self.examples[attack].get("source")) > 1 and record.get("source") not in sources

    def _keep_provenance(self, record: Record) -> None:
        for entry in record.get("stages", []):
            self._add_provenance("program", f"{entry['tool']} {entry['version']}")
            if "seed" in entry:
                self._add_provenance("seed", str(entry["seed"]))
        for key in ("attack", "classify"):
            if model := record.get(key, {}).get("model"):
                self._add_provenance("model", str(model))

    def _add_provenance(self, kind: str, value: str) -> None:
        values = self.provenance.setdefault(kind, set())
        if len(values) < MAX_EXAMPLES:
            values.add(printable(value))
