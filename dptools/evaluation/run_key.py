"""The settings that distinguish one run of an attack from another."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from fractions import Fraction
from itertools import chain
from typing import Any

from dptools.attacks.attack import STEPS_LENGTH
from dptools.evaluation.keys import NONE
from dptools.texts import printable

GRADIENT_FREE = "none"
"""The kind of gradient of an attack that uses none."""


@dataclass(frozen=True)
class RunKey:
    """The settings that distinguish one run of an attack from another.

    Attributes:
        through: The purification method that the attacker knows; ``none`` without one.
        attack: Name of the attack.
        norm: Norm of epsilon; None without a limit.
        epsilon: Largest perturbation; None without a limit.
        steps: Number of steps or, for an attack without steps, of queries; None if it has neither.
        version: Version of AutoAttack; None for other attacks.
        gradient: ``exact``, ``surrogate``, ``bpda`` or ``none``.
        eot: Draws per gradient.
        judges: Draws that judge an image; 1 for a deterministic defence.
        fixed_draws: Whether the attacker knows the random numbers of the defence.
        transfer_from: The classifier that the attacker has instead.
        evades: The detector that the attacker knows.
        model: The attacked classifier.
        random: Whether the defence draws random numbers.
        target: The target class.
        others: All other parameters of the attack, as JSON.
    """

    through: str
    attack: str
    norm: str | None
    epsilon: float | None
    steps: int | None
    version: str | None
    gradient: str
    eot: int
    judges: int
    fixed_draws: bool
    transfer_from: str | None
    evades: str | None
    model: str
    random: bool
    target: int | None
    others: str

    @property
    def threat(self) -> tuple[str, str, str | None, float | None]:
        """The defended classifier and the bound. Attacks with the same threat can be compared."""
        return self.model, self.through, self.norm, self.epsilon

    @property
    def knows_all(self) -> bool:
        """Whether the attacker has the attacked classifier and does not know the random numbers."""
        return not (self.transfer_from or self.fixed_draws or self.evades)

    @property
    def behind(self) -> str:
        """The defence, as the end of a name; empty without one."""
        return "" if self.through == NONE else f", behind {self.through}"

    def without(self, *names: str) -> tuple[Any, ...]:
        """Return all settings except some, to group runs that differ in these only."""
        return tuple(getattr(self, part.name) for part in fields(self) if part.name not in names)

    def __str__(self) -> str:
        bound = f" {self.norm} {number(self.epsilon)}" if self.epsilon is not None else ""
        version = f":{self.version}" if self.version else ""
        steps = f" x{self.steps}" if self.steps else ""
        gradient = "" if self.through == NONE or self.gradient == GRADIENT_FREE else f" {self.gradient}"
        eot = f" eot {self.eot}" if self.eot > 1 else ""
        source = f" from {self.transfer_from}" if self.transfer_from else ""
        known = " fixed draws" if self.fixed_draws else ""
        evades = f" evades {self.evades}" if self.evades else ""
        target = "" if self.target is None else f" to {self.target}"
        return printable(f"{self.attack}{version}{bound}{steps}{gradient}{eot}{target}{source}{known}{evades}")


def run_key(attack: Mapping[str, Any]) -> RunKey:
    """Return the settings of an attack, from the ``attack`` object of a record."""
    params = dict(attack.get("params") or {})
    is_random = "judges" in attack or bool(attack.get("fixed_draws"))
    steps, version = params.pop("steps", params.get("queries")), params.pop("version", None)
    steps = steps if isinstance(steps, int) else None
    if version == "auto":
        version = "rand" if "judges" in attack else "standard"
    if steps and params.get("rel_stepsize") == STEPS_LENGTH / steps:  # follows from the number of steps
        del params["rel_stepsize"]
    if params.get("queries") == steps:
        params.pop("queries", None)
    return RunKey(
        _text(attack, "through") or NONE,
        printable(attack["name"]),
        _text(attack, "norm"),
        attack.get("epsilon"),
        steps,
        version if isinstance(version, str) else None,
        str(attack.get("gradient", "exact")),
        int(attack.get("eot") or 1),
        int(attack.get("judges") or 1),
        bool(attack.get("fixed_draws", False)),
        _text(attack, "transfer_from"),
        _text(attack, "evades"),
        _text(attack, "model") or NONE,
        is_random,
        attack.get("target"),
        json.dumps(params, sort_keys=True),
    )


def _text(attack: Mapping[str, Any], key: str) -> str | None:
    """Return a text of an attack, printable, because tables, warnings and commands contain it; None if missing."""
    return printable(attack[key]) if attack.get(key) else None


def names(keys: Iterable[RunKey]) -> dict[RunKey, str]:
    """Return a name for each run. Runs behind the same method have different names.

    A name contains the classifier if there are several, and settings that :meth:`RunKey.__str__` leaves out if another
    run would have the same name.
    """
    keys = list(keys)
    several = len({key.model for key in keys}) > 1
    found = {key: f"{key} on {printable(key.model)}" if several else str(key) for key in keys}
    same: dict[tuple[str, str], list[RunKey]] = {}
    for key, name in found.items():
        same.setdefault((key.through, name), []).append(key)
    for (_, name), equal in same.items():
        settings = [_settings(key) for key in equal]
        differing = [part for part in dict.fromkeys(chain(*settings)) if len({each.get(part) for each in settings}) > 1]
        for key, values in zip(equal, settings, strict=True):
            found[key] = printable(
                " ".join([name, *(f"{part}={values[part]}" for part in differing if part in values)])
            )
    return found


def _settings(key: RunKey) -> dict[str, str]:
    """Return all settings as text; parameters of the attack are named as in ``--set``."""
    params = {name: json.dumps(value) for name, value in json.loads(key.others).items()}
    return params | {part.name: str(getattr(key, part.name)) for part in fields(key) if part.name != "others"}


def number(epsilon: float | None) -> str:
    """Return epsilon as text: a multiple of 1/255 as a fraction, such as 8/255."""
    if epsilon is None:
        return "-"
    if epsilon >= 0.5:
        return f"{epsilon:g}"
    steps = Fraction(epsilon * 255).limit_denominator(8)
    return f"{float(steps):g}/255" if abs(float(steps) / 255 - epsilon) < 1e-9 else f"{epsilon:g}"
