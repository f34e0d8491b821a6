"""The attacks for people to choose from."""

from dptools.attacks.attack import Attack
from dptools.attacks.registry import ATTACKS, PAPER


def listing() -> str:
    """The short names with their parameters, then Foolbox's classes; several lines."""
    from dptools.attacks.classes import classes, find_class

    short = [_entry(attack) for attack in ATTACKS.values()]
    return "\n".join(
        [
            *short,
            f"all         the Deep Protection paper's eight: {', '.join(PAPER)}",
            "",
            "Any class of Foolbox too, with its parameters:",
            *(f"{name}({', '.join(_params(found))})" for name in classes() if (found := find_class(name))),
        ]
    )


def _entry(attack: Attack) -> str:
    return f"{attack.name:12}{attack.title} ({attack.source})\n{'':12}{' '.join(_params(attack))}"


def _params(attack: Attack) -> list[str]:
    budget = [f"epsilon={'...' if attack.epsilon is None else f'{attack.epsilon:.4g}'}"] if attack.bounded else []
    return [*(f"{name}={_shown(value)}" for name, value in attack.settings.items()), *budget]


def _shown(value: object) -> str:
    if value is ...:
        return "..."
    return f"{value:.4g}" if isinstance(value, float) else str(value).lower()
