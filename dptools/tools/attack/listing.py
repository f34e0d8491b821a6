"""The text of ``dp-attack --list``."""

from dptools.attacks.attack import Attack
from dptools.attacks.params import REQUIRED
from dptools.attacks.registry import ATTACKS, PAPER


def listing() -> str:
    """Return the attacks with short names, then the classes of Foolbox, each with its parameters, on several lines."""
    from dptools.attacks.foolbox_classes import find_class, foolbox_classes

    return "\n".join(
        [
            *(_entry(attack) for attack in ATTACKS.values()),
            f"all         the Deep Protection paper's eight: {', '.join(PAPER)}",
            "",
            "Classes of Foolbox, with their parameters:",
            *(f"{name}({', '.join(_params(attack))})" for name in foolbox_classes() if (attack := find_class(name))),
        ]
    )


def _entry(attack: Attack) -> str:
    return f"{attack.name:12}{attack.title} ({attack.source})\n{'':12}{' '.join(_params(attack))}"


def _params(attack: Attack) -> list[str]:
    default = "..." if attack.epsilon is None else f"{attack.epsilon:.4g}"
    epsilon = [f"epsilon={default}"] if attack.needs_epsilon else []
    return [*(f"{name}={_value_text(value)}" for name, value in attack.settings.items()), *epsilon]


def _value_text(value: object) -> str:
    if value is REQUIRED:
        return "..."
    return f"{value:.4g}" if isinstance(value, float) else str(value).lower()
