"""Adversarial attacks: image -> an image that a classifier gets wrong."""

import os
from typing import TYPE_CHECKING

from dptools.attacks.registry import ATTACKS, Attack, find
from dptools.lazy import lazy

os.environ.setdefault("GIT_PYTHON_REFRESH", "quiet")  # Foolbox imports GitPython, which fails where git is missing

if TYPE_CHECKING:
    from dptools.attacks.perturbation import Outcome, perturb
else:
    __getattr__ = lazy(__name__, perturbation=("Outcome", "perturb"))

__all__ = ["ATTACKS", "Attack", "Outcome", "find", "perturb"]
