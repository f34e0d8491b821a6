"""Adversarial attacks, which change an image until a classifier misclassifies it.

>>> from dptools.attacks import find, perturb
>>> results = perturb(find("deepfool"), model, images, labels)
"""

import os
from typing import TYPE_CHECKING

from dptools.attacks.attack import Attack, SettingError
from dptools.attacks.registry import ATTACKS, PAPER, find
from dptools.lazy import lazy

# Foolbox imports GitPython, which otherwise fails where git is not installed.
os.environ.setdefault("GIT_PYTHON_REFRESH", "quiet")

if TYPE_CHECKING:
    from dptools.attacks.adef import ADefAttack
    from dptools.attacks.defended_model import DefendedModel, TransferSource
    from dptools.attacks.judgement import Judgement
    from dptools.attacks.perturbation import AttackResult, perturb
else:
    __getattr__ = lazy(
        __name__,
        defended_model=("DefendedModel", "TransferSource"),
        adef=("ADefAttack",),
        judgement=("Judgement",),
        perturbation=("AttackResult", "perturb"),
    )

__all__ = [
    "ATTACKS",
    "PAPER",
    "ADefAttack",
    "Attack",
    "AttackResult",
    "DefendedModel",
    "Judgement",
    "SettingError",
    "TransferSource",
    "find",
    "perturb",
]
