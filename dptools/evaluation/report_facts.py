"""The first screen of the report: the main result, what was measured, how certain it is, and what is missing."""

from collections.abc import Iterator
from typing import Any

from dptools.evaluation.formatting import percent
from dptools.evaluation.image_counts import MAX_IMAGES
from dptools.evaluation.intervals import Rate
from dptools.evaluation.keys import NONE, uses_true_label
from dptools.evaluation.metrics import Group
from dptools.evaluation.run_key import number
from dptools.evaluation.summary import Summary
from dptools.texts import printable

Fact = tuple[str, str]
"""A term and its description."""

MAX_NAMES = 8
"""Maximum number of names in a list."""


def title(summary: Summary) -> str:
    """Return the title of the report."""
    purified = _defences(summary) or _attacked_methods(summary)
    return "Purification of adversarial images" if purified else "Accuracy of image classification"


def lead(summary: Summary) -> str:
    """Return the main result: the best method against attackers who do not know it, and what others achieve."""
    known = _against_knowledge(summary)
    return " ".join(filter(None, (_best_method(summary), known))) or _undefended(summary)


def _best_method(summary: Summary) -> str:
    """Return the result of the method whose interval on attacked images has the highest lower bound; empty without any.

    Methods that use the true label are left out, because they are no defence.
    """
    methods = {
        name: pair
        for name, pair in _defences(summary).items()
        if not uses_true_label(name) and pair[1].rate("after_top1").n
    }
    if not methods:
        return ""
    name, (clean, attacked) = max(methods.items(), key=lambda item: item[1][1].rate("after_top1").low)
    after, before = attacked.rate("after_top1"), attacked.rate("before_top1")
    parts = [f"{percent(after)} % top-1 accuracy on {after.n} attacked images"]
    parts += [f"{percent(top5)} % top-5"] if (top5 := attacked.rate("after_top5")).n else []
    parts += [f"{percent(before)} % top-1 before purification"] if before.n else []
    if (on_clean := clean.rate("after_top1")).n:
        parts.append(f"{percent(on_clean)} % top-1 on {on_clean.n} clean images")
    return f"{_comparison(methods, name)}: {', '.join(parts)}."


def _comparison(methods: dict[str, tuple[Group, Group]], best: str) -> str:
    """Return what is true of the best method. One with few images can have a higher rate, and equal ones are ties."""
    if len(methods) == 1:
        return f"Purified by {best}"
    rates = {name: attacked.rate("after_top1") for name, (_, attacked) in methods.items()}
    highest = [name for name, rate in rates.items() if rate.k * rates[best].n >= rates[best].k * rate.n]
    claim = f"{best} is the most accurate" if highest == [best] else f"none has a higher lower bound than {best}"
    return f"Of {len(methods)} methods, {claim}"


def _against_knowledge(summary: Summary) -> str:
    """Return the robust accuracy of each method with each classifier; empty without any.

    The threat is the one that was tried on most images; of several, that with the smallest perturbation.
    """

    def rank(threat: tuple[Any, ...]) -> tuple[float, float]:
        return summary.robustness.together(threat).n, -float(threat[-1] or 0)

    threats = {threat[:2]: threat for threat in sorted(summary.robustness.threats, key=rank)}
    attacked = dict.fromkeys((key.model, key.through) for key in summary.robustness.runs if key.through != NONE)
    parts = [_robust(summary, threats[each]) for each in attacked if each in threats]
    return f"Against attackers who know the method: {'; '.join(parts)}." if parts else ""


def _robust(summary: Summary, threat: tuple[Any, ...]) -> str:
    model, through, norm, epsilon = threat
    name = f"{through} before {printable(model)}" if summary.robustness.several_models else through
    rate = summary.robustness.together(threat)
    clean = max((run.clean for run in summary.robustness.of_threat(threat)), key=lambda rate: rate.n)
    bound = f" with a perturbation up to {norm or ''} {number(epsilon)}" if epsilon else ""
    return f"{name} {percent(rate)} % top-1 on {rate.n} images{bound}, and {percent(clean)} % without an attack"


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


def _attacked_methods(summary: Summary) -> list[str]:
    """Return the methods that were attacked by someone who knows them."""
    return list(dict.fromkeys(key.through for key in summary.robustness.runs if key.through != NONE))


def _undefended(summary: Summary) -> str:
    """Return the accuracy without purification."""
    kinds = ("clean", "attacked")
    rates = [(kind, group.rate("after_top1")) for kind, group in zip(kinds, _total(summary), strict=True)]
    parts = [f"{percent(rate)} % top-1 accuracy on {rate.n} {kind} images" for kind, rate in rates if rate.n]
    return f"{', '.join(parts)}." if parts else "No accuracy: no image was classified with a known label."


def _total(summary: Summary) -> tuple[Group, Group]:
    """Return clean and attacked images that were not purified, or, without rates, those of the first method."""
    empty = (Group(""), Group(""))
    pairs = (summary.methods.get(NONE, empty), *summary.methods.values())
    return next((pair for pair in pairs if any(group.rate("after_top1").n for group in pair)), empty)


def _measured(summary: Summary) -> str:
    models = sorted(summary.provenance.get("model", ()))
    attacks = dict.fromkeys(attack for _, attack in summary.cells if attack != NONE)
    methods = list(dict.fromkeys([*_defences(summary), *_attacked_methods(summary)]))
    kinds = {"classifier": models, "method": methods, "attack": list(attacks)}
    parts = [f"{name}{'s' if len(values) > 1 else ''} {_list(values)}" for name, values in kinds.items() if values]
    return "; ".join(["accuracy (the share of images with the right class)", *parts])


def _images(summary: Summary) -> str:
    scored = sum(group.scored for group in summary.cells.values())
    attacked = sum(group.scored for (_, attack), group in summary.cells.items() if attack != NONE)
    number = f"{len(summary.images):,}" if len(summary.images) < MAX_IMAGES else f"{MAX_IMAGES:,} or more"
    return f"{number} different images in {scored:,} records: {scored - attacked:,} clean and {attacked:,} attacked"


def _certainty(summary: Summary) -> str:
    rates = [rate for group in summary.all_groups if (rate := group.rate("after_top1")).n]
    rates += [run.majority for run in summary.robustness.runs.values()]
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
    unknown = sum(group.scored - _classified(summary, group) for group in groups)
    if unknown:
        yield f"{unknown:,} record{'s' if unknown > 1 else ''} without a class or a true label"
    pairs = summary.methods.values()
    if any(attacked.scored for _, attacked in pairs) and not (
        any(clean.scored for clean, _ in pairs) or summary.robustness
    ):
        yield "accuracy on clean images"
    if _defences(summary) and not any(key.through != NONE and key.knows_all for key in summary.robustness.runs):
        yield "attacks by someone who knows the purification: the rates hold only for attackers who do not"
    if not summary.provenance.get("program"):
        yield "the programs, versions and seeds that made the records"


def _classified(summary: Summary, group: Group) -> int:
    """Return the number of records with a known result. Behind a known method, dp-attack itself classifies."""
    judged = group.rate("success").n if _attacked_methods(summary) else 0
    return max(group.rate("after_top1").n, judged)


def _list(names: list[str]) -> str:
    more = f" and {len(names) - MAX_NAMES} more" if len(names) > MAX_NAMES else ""
    return ", ".join(names[:MAX_NAMES]) + more
