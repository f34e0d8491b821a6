"""An attack set as the user wishes: ``--set NAME=VALUE`` and ``--epsilon``."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from dptools.attacks.attack import Attack
from dptools.attacks.params import number
from dptools.errors import UsageError


@dataclass(frozen=True)
class Setting:
    """``NAME=VALUE``, or ``ATTACK.NAME=VALUE`` for one of several attacks."""

    attack: str | None
    name: str
    value: str

    @classmethod
    def parse(cls, text: str) -> "Setting":
        """
        Raises:
            UsageError: it has not this form.
        """
        key, equals, value = text.partition("=")
        attack, dot, name = key.strip().rpartition(".")
        if not equals or not name:
            raise UsageError(f"--set {text!r}: give NAME=VALUE, or ATTACK.NAME=VALUE")
        return cls(attack if dot else None, name, value)


def configure(attack: Attack, settings: Sequence[Setting], epsilon: str | None, *, aimed: bool) -> Attack:
    """The attack with these settings; those that name another attack are left alone.

    Args:
        epsilon: a number or a fraction such as 8/255, on the [0, 1] scale; None leaves it as it is.
        aimed: there is a target.

    Raises:
        UsageError: the attack has no such parameter, or it cannot have this value; the message says what it takes.
    """
    mine = [setting for setting in settings if setting.attack in (None, attack.name)]
    values = {setting.name: _value(attack, setting) for setting in mine}
    attack = replace(attack, values={**attack.values, **values})
    if epsilon is not None:
        attack = replace(attack, epsilon=_epsilon(attack, epsilon))
    _check(attack, aimed)
    return attack


def check_budget(attack: Attack, count: int) -> None:
    """
    Args:
        count: how many values an image has.

    Raises:
        UsageError: the attack's epsilon is larger than any two images are apart.
    """
    most = {"linf": 1.0, "l2": math.sqrt(count)}.get(attack.norm or "", float(count))
    if attack.epsilon is not None and attack.epsilon > most:
        where = f"at most {most:g} for {count} values"
        raise UsageError(
            f"{attack.name}: --epsilon {attack.epsilon:g}: give a number above 0 and {where}, in {attack.norm}"
        )


def _value(attack: Attack, setting: Setting) -> object:
    if (param := attack.params.get(setting.name)) is None:
        known = ", ".join(attack.params) or "nothing"
        raise UsageError(f"{attack.name} has no parameter {setting.name!r}: it takes {known}")
    try:
        return param.parse(setting.value)
    except ValueError:
        raise UsageError(f"{attack.name}: {setting.name}={setting.value}: give {param}") from None


def _epsilon(attack: Attack, text: str) -> float:
    if attack.norm is None:
        raise UsageError(f"{attack.name} takes no --epsilon: set {', '.join(attack.params)}")
    try:
        epsilon = number(text)
    except ValueError:
        epsilon = 0.0
    most, example = (1.0, " and at most 1, such as 8/255") if attack.norm == "linf" else (math.inf, "")
    if not 0 < epsilon <= most or epsilon == math.inf:
        raise UsageError(f"{attack.name}: --epsilon {text}: give a number above 0{example}, in {attack.norm}")
    return epsilon


def _check(attack: Attack, aimed: bool) -> None:
    if attack.bounded and attack.epsilon is None:
        raise UsageError(f"{attack.name} needs --epsilon: the largest perturbation in {attack.norm}, such as 8/255")
    if aimed and attack.targets == "no":
        raise UsageError(f"{attack.name} cannot aim at a class: leave --target out")
    if not aimed and attack.targets == "must":
        raise UsageError(f"{attack.name} needs a class to aim at: give --target")
    if missing := [name for name, value in attack.settings.items() if value is ...]:
        raise UsageError(f"{attack.name} needs --set {missing[0]}=VALUE: {attack.params[missing[0]]}")
