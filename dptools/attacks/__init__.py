"""Adversarial attacks: image -> an image that a classifier gets wrong."""

import os
from typing import TYPE_CHECKING

from dptools.attacks.attack import Attack
from dptools.attacks.registry import ATTACKS, PAPER, find
from dptools.attacks.settings import Setting, configure
from dptools.lazy import lazy

os.environ.setdefault("GIT_PYTHON_REFRESH", "quiet")  # Foolbox imports GitPython, which fails where git is missing

if TYPE_CHECKING:
    from dptools.attacks.adef import ADefAttack
    from dptools.attacks.defended_model import DefendedModel
    from dptools.attacks.perturbation import AttackResult, perturb
else:
    __getattr__ = lazy(
        __name__, defended_model=("DefendedModel",), adef=("ADefAttack",), perturbation=("AttackResult", "perturb")
    )

__all__ = [
    "ATTACKS",
    "PAPER",
    "ADefAttack",
    "Attack",
    "AttackResult",
    "DefendedModel",
    "Setting",
    "configure",
    "find",
    "perturb",
]
