"""The first screen of the report: the main result, what was measured, how certain it is, and what is missing."""

from collections.abc import Iterator

from dptools.evaluation.formatting import percent
from dptools.evaluation.intervals import Rate
from dptools.evaluation.keys import NONE, uses_true_label
from dptools.evaluation.metrics import Group
from dptools.evaluation.summary import MAX_IMAGES, Summary

Fact = tuple[str, str]
"""A term and its description."""

MAX_NAMES = 8
"""Maximum number of names in a list."""


def title(summary: Summary) -> str:
    """Return the title of the report."""
    return "Purification of adversarial images" if _defences(summary) else "Accuracy of image classification"


def lead(summary: Summary) -> str:
    """Return the main result: the method whose interval on attacked images has the highest lower bound.

    Methods that use the true label are left out, because they are no defence.
    """
    methods = {
        name: pair
        for name, pair in _defences(summary).items()
        if not uses_true_label(name) and pair[1].rate("after_top1").n
    }
    if not methods:
        return _undefended(summary)
    name, (clean, attacked) = max(methods.items(), key=lambda item: item[1][1].rate("after_top1").low)
    after, before = attacked.rate("after_top1"), attacked.rate("before_top1")
    parts = [f"{percent(after)} % top-1 accuracy on {after.n} attacked images"]
    parts += [f"{percent(top5)} % top-5"] if (top5 := attacked.rate("after_top5")).n else []
    parts += [f"{percent(before)} % top-1 before purification"] if before.n else []
    if (on_clean := clean.rate("after_top1")).n:
        parts.append(f"{percent(on_clean)} % top-1 on {on_clean.n} clean images")
    start = f"Of {len(methods)} methods, {name} is the most accurate" if len(methods) > 1 else f"Purified by {name}"
    return f"{start}: {', '.join(parts)}."


def facts(summary: Summary) -> list[Fact]:
    """Return what was measured, on how many images, how certain the rates are, and what is missing."""
    missing = list(_missing(summary))
    return [
        ("Measured", _measured(summary)),
        ("Images", _images(summary)),
        ("Certainty", _certainty(summary)),
        ("Missing", "; ".join(missing) if missing else "nothing that this report expects"),
    ]


def _defences(summary: Summary) -> dict[str, tuple[Group, Group]]:
    return {name: pair for name, pair in summary.methods.items() if name != NONE}


def _undefended(summary: Summary) -> str:
    """Return the accuracy without purification."""
    kinds = ("clean", "attacked")
    rates = [(kind, group.rate("after_top1")) for kind, group in zip(kinds, _total(summary), strict=True)]
    parts = [f"{percent(rate)} % top-1 accuracy on {rate.n} {kind} images" for kind, rate in rates if rate.n]
    return f"{', '.join(parts)}." if parts else "No accuracy: no image was classified with a known label."


def _total(summary: Summary) -> tuple[Group, Group]:
    """Return clean and attacked images that were not purified, or, without any, those of the first method."""
    pairs = summary.methods
    return pairs.get(NONE) or next(iter(pairs.values()), (Group(""), Group("")))


def _measured(summary: Summary) -> str:
    models = sorted(summary.provenance.get("model", ()))
    attacks = dict.fromkeys(attack for _, attack in summary.cells if attack != NONE)
    kinds = {"classifier": models, "method": list(_defences(summary)), "attack": list(attacks)}
    parts = [f"{name}{'s' if len(values) > 1 else ''} {_list(values)}" for name, values in kinds.items() if values]
    return "; ".join(["accuracy (the share of images with the right class)", *parts])


def _images(summary: Summary) -> str:
    scored = sum(group.scored for group in summary.cells.values())
    attacked = sum(group.scored for (_, attack), group in summary.cells.items() if attack != NONE)
    number = f"{len(summary.images):,}" if len(summary.images) < MAX_IMAGES else f"{MAX_IMAGES:,} or more"
    return f"{number} different images in {scored:,} records: {scored - attacked:,} clean and {attacked:,} attacked"


def _certainty(summary: Summary) -> str:
    rates = [rate for group in summary.all_groups if (rate := group.rate("after_top1")).n]
    if not rates:
        return "no rates"
    widest = max(rates, key=_half_width)
    return (
        "95 % intervals are in brackets, in per cent. They cover the choice of the images, not other attacks or "
        f"classifiers. The widest one of top-1 accuracy is ±{100 * _half_width(widest):.0f} points (n = {widest.n})"
    )


def _half_width(rate: Rate) -> float:
    return (rate.high - rate.low) / 2


def _missing(summary: Summary) -> Iterator[str]:
    groups = list(summary.cells.values())
    for reason in ("failed", "skipped"):
        if count := sum(group.counts[reason] for group in groups):
            yield f"{count:,} record{'s' if count > 1 else ''} {reason}"
    unknown = sum(group.scored - group.rate("after_top1").n for group in groups)
    if unknown:
        yield f"{unknown:,} record{'s' if unknown > 1 else ''} without a class or a true label"
    pairs = summary.methods.values()
    if any(attacked.scored for _, attacked in pairs) and not any(clean.scored for clean, _ in pairs):
        yield "accuracy on clean images"
    if _defences(summary) and not any(key.through != NONE and key.knows_all for key in summary.robustness.runs):
        yield "attacks by someone who knows the purification: the rates hold only for attackers who do not"
    if not summary.provenance.get("program"):
        yield "the programs, versions and seeds that made the records"


def _list(names: list[str]) -> str:
    more = f" and {len(names) - MAX_NAMES} more" if len(names) > MAX_NAMES else ""
    return ", ".join(names[:MAX_NAMES]) + more
