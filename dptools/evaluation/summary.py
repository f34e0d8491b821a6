"""Summary of a stream of records, from which tables, figures and reports are made."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from dptools.evaluation.certified import CertificateEvaluation
from dptools.evaluation.checklist import checklists_as_json
from dptools.evaluation.gating import GateEvaluation
from dptools.evaluation.image_counts import MAX_IMAGES
from dptools.evaluation.keys import ALL, ATTACK, NONE, Record, attack_name, is_scored, method, parse_keys, source_image
from dptools.evaluation.learning_curves import LearningCurve
from dptools.evaluation.metrics import Group, merged
from dptools.evaluation.paired import Comparison, comparisons_as_json
from dptools.evaluation.robustness import Robustness
from dptools.texts import printable

MAX_EXAMPLES = 12
"""Maximum number of example images, of maps, and of values of each kind of :attr:`Summary.provenance`."""


@dataclass
class Summary:
    """Counts over a stream of records, and one example per attack.

    The size grows with the number of images only in ``attacked``, ``comparisons``, ``robustness`` and ``certificates``,
    and up to MAX_IMAGES in each group.

    Attributes:
        by: The key of the groups, or several: ``attack``, ``method``, or the dotted path of any key.
        groups: Groups by name, in order of appearance; empty if grouped by attack, because ``cells`` suffice.
        cells: Groups by method and attack.
        totals: The groups of all attacked images, by method.
        examples: One record of a purified image for each attack. Examples show different images where possible.
        maps: The first records of maps.
        attacked: Records before purification by id, for figures.
        provenance: Programs, models and seeds that the records name.
        comparisons: Comparisons with other files.
        curves: Learning curves from traces.
        gate: Evaluation of a gate, from the records that have a suspicion.
        robustness: Runs of attacks that have a limit or know a defence.
        certificates: Certified accuracy, from the records that have a certificate.
        images: Hashes of the names of the source images, at most MAX_IMAGES.
    """

    by: str | Sequence[str] = ATTACK
    groups: dict[str, Group] = field(default_factory=dict)
    cells: dict[tuple[str, str], Group] = field(default_factory=dict)
    totals: dict[str, Group] = field(default_factory=dict)
    examples: dict[str, Record] = field(default_factory=dict)
    maps: list[Record] = field(default_factory=list)
    attacked: Mapping[str, Record] = field(default_factory=dict)
    provenance: dict[str, set[str]] = field(default_factory=dict)
    comparisons: list[Comparison] = field(default_factory=list)
    curves: list[LearningCurve] = field(default_factory=list)
    gate: GateEvaluation = field(default_factory=GateEvaluation)
    robustness: Robustness = field(default_factory=Robustness)
    certificates: CertificateEvaluation = field(default_factory=CertificateEvaluation)
    images: set[int] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.by = (self.by,) if isinstance(self.by, str) else tuple(self.by)
        self._group_name = parse_keys(self.by)
        self.title = printable(", ".join(self.by))

    def read(self, records: Iterable[Record]) -> None:
        """Count all records of a stream."""
        for record in records:
            self._count(record)
            self.gate.add(record)
            self.robustness.add(record)
            self.certificates.add(record)
            for comparison in self.comparisons:
                comparison.add(record)
            if is_scored(record):
                if len(self.images) < MAX_IMAGES:
                    self.images.add(hash(source_image(record)))
                self._keep_example(record)
                self._keep_provenance(record)

    @property
    def all_groups(self) -> list[Group]:
        """Return the groups in order of appearance.

        If grouped by attack, the total over all attacks follows. Records of different methods are not combined: with
        several methods there are groups for each of them, whose names start with the method.
        """
        if self.by != (ATTACK,):
            return list(self.groups.values())
        if self._mixes_methods:
            scored = dict.fromkeys(name for (name, _), group in self.cells.items() if group.scored)
            failures = [replace(group, name=at) for (name, at), group in self.cells.items() if name not in scored]
            return [*(group for method in scored for group in self._of_method(method)), *failures]
        attacks: dict[str, list[Group]] = {}
        for (_, attack), group in self.cells.items():
            attacks.setdefault(attack, []).append(group)
        return [*(merged(name, groups) for name, groups in attacks.items()), *self._total(ALL, *self.totals)]

    @property
    def _mixes_methods(self) -> bool:
        """Whether one attack, or all attacks together, have scored records of several methods.

        Images that were not purified are a method if they were classified: dp-attack alone gives no accuracy "after".
        """
        methods: dict[str, set[str]] = {}
        for (name, attack), group in self.cells.items():
            if group.scored and (name != NONE or group.rate("after_top1").n):
                methods.setdefault(attack, set()).add(name)
        attacked = set().union(*(names for attack, names in methods.items() if attack != NONE))
        return len(attacked) > 1 or len(methods.get(NONE, ())) > 1

    def _of_method(self, method: str) -> Iterator[Group]:
        for (name, attack), group in self.cells.items():
            if name == method:
                yield replace(group, name=f"{method}: {attack}")
        yield from self._total(f"{method}: {ALL}", method)

    def _total(self, name: str, *methods: str) -> Iterator[Group]:
        """Yield the total over the attacks on methods, if there are several attacks."""
        if len({attack for method, attack in self.cells if method in methods and attack != NONE}) > 1:
            yield merged(name, (self.totals[method] for method in methods))

    @property
    def failed(self) -> bool:
        """Return whether any record failed."""
        return any(group.counts["failed"] for group in self.cells.values())

    @property
    def methods(self) -> dict[str, tuple[Group, Group]]:
        """Return the group of clean images and the group of attacked images of each method."""
        empty = Group("")
        names = dict.fromkeys(name for name, _ in self.cells)
        return {name: (self.cells.get((name, NONE), empty), self.totals.get(name, empty)) for name in names}

    def as_json(self) -> dict[str, Any]:
        """Return the summary as a JSON object, documented in dp-eval(1)."""
        summary: dict[str, Any] = {"by": self.title, "groups": [group.as_json() for group in self.all_groups]}
        if self.comparisons:
            summary["comparisons"] = comparisons_as_json(self.comparisons)
        if self.curves:
            summary["traces"] = [curve.as_json() for curve in self.curves]
        if self.gate:
            summary["gate"] = self.gate.as_json()
        if self.robustness:
            summary["robustness"] = self.robustness.as_json()
            summary["checklists"] = checklists_as_json(self.robustness)
        if self.certificates:
            summary["certificates"] = self.certificates.as_json()
        return summary

    def _count(self, record: Record) -> None:
        cell = (method(record), attack_name(record))
        if self.by != (ATTACK,):
            name = self._group_name(record)
            self.groups.setdefault(name, Group(name)).add(record)
        self.cells.setdefault(cell, Group(" ".join(cell))).add(record)
        if cell[1] != NONE:
            self.totals.setdefault(cell[0], Group(ALL)).add(record)

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
