"""The options ``--attack``, ``--set``, ``--epsilon`` and ``--target``: from text to configured attacks."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from dptools.attacks.attack import Attack, SettingError
from dptools.attacks.params import Value
from dptools.attacks.registry import ATTACKS, PAPER, find
from dptools.errors import UsageError
from dptools.texts import parse_number

OPTIONS = {"epsilon": "--epsilon", "norm": "--norm", "target": "--target", "params": "--set"}
"""The command-line options, by the setting of an attack that they change."""

EPSILON_TOLERANCE = 3e-4
"""The tolerance for rounding errors of 255 epsilon; see :attr:`dptools.attacks.norms.Budget.largest`."""


@dataclass(frozen=True)
class Setting:
    """The value of ``--set``: ``NAME=VALUE``, or ``ATTACK.NAME=VALUE`` for one of several attacks."""

    attack: str | None
    name: str
    value: str

    @classmethod
    def parse(cls, text: str) -> "Setting":
        """Parse a value of ``--set``.

        Raises:
            UsageError: The text has neither form.
        """
        key, equals, value = text.partition("=")
        attack, dot, name = key.strip().rpartition(".")
        if not equals or not name:
            raise UsageError(f"--set {text!r}: give NAME=VALUE, or ATTACK.NAME=VALUE")
        return cls(attack if dot else None, name, value)


def configured_attacks(
    names: Sequence[str],
    settings: Sequence[str],
    epsilon: str | None,
    norm: str | None = None,
    *,
    targeted: bool,
    gradients: bool = True,
) -> tuple[Attack, ...]:
    """Return the attacks with their settings.

    Args:
        names: Names of attacks; ``all`` stands for the eight of the Deep Protection paper.
        settings: Values of ``--set``.
        epsilon: Largest perturbation: a number or a fraction such as 8/255; None for the attack's default.
        norm: The norm that bounds the perturbation, ``linf`` or ``l2``; None for the attack's own.
        targeted: Whether there is a target class.
        gradients: Whether the model has gradients. If not, messages suggest attacks that need none.

    Raises:
        UsageError: There is no such attack or parameter, or a value is not accepted.
    """
    expanded = dict.fromkeys(name for choice in names for name in (PAPER if choice == "all" else [choice]))
    parsed = [Setting.parse(text) for text in settings]
    if others := [setting.attack for setting in parsed if setting.attack not in {None, *expanded}]:
        raise UsageError(f"--set: {others[0]} is not one of the chosen attacks: {', '.join(expanded)}")
    instead = None if gradients else without_gradients(targeted=targeted)
    return tuple(configure(_find(name, instead), parsed, epsilon, norm, targeted=targeted) for name in expanded)


def configure(
    attack: Attack, settings: Sequence[Setting], epsilon: str | None, norm: str | None, *, targeted: bool
) -> Attack:
    """Return the attack with the settings that apply to it; see :func:`configured_attacks`."""
    own = [setting for setting in settings if setting.attack in (None, attack.name)]
    number = None if epsilon is None else _parse_epsilon(epsilon)
    with option_errors():
        values = {setting.name: _parse_value(attack, setting) for setting in own}
        attack = attack.configure(norm=norm, epsilon=number, **values)
        attack.check(targeted=targeted)
    return attack


def weak_attacks(attacks: Iterable[Attack]) -> Iterator[str]:
    """Yield a warning for each attack that cannot change an 8-bit image, or cannot reach every point within epsilon."""
    for attack in attacks:
        if attack.epsilon is not None and attack.norm != "l0" and 255 * attack.epsilon < 1 - EPSILON_TOLERANCE:
            yield (
                f"{attack.name}: epsilon {attack.epsilon:.3g} is less than 1/255, the smallest change of a value of an "
                "image file: no image will be changed"
            )
        needed = 2 if attack.settings.get("random_start") else 1
        if attack.steps_length is not None and attack.steps_length < needed * (1 - 1e-9):
            yield (
                f"{attack.name}: its {attack.settings['steps']} steps together have a length of "
                f"{attack.steps_length:.3g} epsilon, and {needed} are needed to reach every point within epsilon: "
                "increase steps, or leave out rel_stepsize"
            )


@contextmanager
def option_errors() -> Iterator[None]:
    """Turn a SettingError into a UsageError that starts with the option."""
    try:
        yield
    except SettingError as error:
        raise UsageError(f"{OPTIONS[error.setting]}: {error}") from None


def without_gradients(*, targeted: bool) -> str:
    """Return the attacks to suggest for a model without gradients, for a message."""
    if targeted:
        return "GenAttack with --epsilon"
    names = [attack.name for attack in ATTACKS.values() if not attack.uses_gradients]
    return f"{', '.join(names)} or a class of Foolbox such as HopSkipJumpAttack or BoundaryAttack"


def _find(name: str, instead: str | None) -> Attack:
    try:
        return find(name)
    except UsageError as error:
        if instead:
            raise UsageError(f"unknown attack {name!r}: the model has no gradients, so choose {instead}") from None
        raise UsageError(f"{error}, or all; dp-attack --list shows them") from None


def _parse_value(attack: Attack, setting: Setting) -> Value:
    param = attack.param(setting.name)
    try:
        return param.parse(setting.value)
    except ValueError:
        raise SettingError("params", f"{attack.name}: {setting.name}={setting.value}: give {param}") from None


def _parse_epsilon(text: str) -> float:
    try:
        return parse_number(text)
    except ValueError:
        raise UsageError(f"--epsilon {text}: give a number or a fraction such as 8/255") from None
