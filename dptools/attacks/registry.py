"""The attacks by their names. A new one is one function in a module of its kind, and one entry here.

Nothing here imports torch or Foolbox, so that names can be checked and listed at once; a name that is not in the list
is looked for among Foolbox's classes, which then takes the time of that import.
"""

from difflib import get_close_matches

from dptools.attacks.attack import Attack
from dptools.attacks.params import Param
from dptools.errors import UsageError
from dptools.texts import did_you_mean


def _growing(steps: int, **params: Param) -> dict[str, Param]:
    return {"steps": Param(steps, least=1), "ceiling": Param(1.0, (int, float), least=0), **params}


_ALL = (
    Attack(
        "gs",
        "gradient sign",
        "arXiv 1412.6572",
        "growing:gradient_sign",
        _growing(255),
        norm="linf",
        together=True,
    ),
    Attack(
        "agn",
        "additive Gaussian noise",
        "Foolbox, arXiv 1707.04131",
        "growing:gaussian_noise",
        _growing(1000),
        together=True,
    ),
    Attack(
        "bun",
        "blended uniform noise",
        "Foolbox, arXiv 1707.04131",
        "growing:blended_noise",
        _growing(1000, directions=Param(1000, least=1)),
        together=True,
    ),
    Attack(
        "adef",
        "ADef, deformation",
        "arXiv 1804.07729",
        "library:adef",
        {
            "steps": Param(100, least=1),
            "candidates": Param(10, least=2),
            "smooth": Param(1.0, least=0),
            "overshoot": Param(1.1, least=1),
            "margin": Param(0.01, least=0),
            "max_deformation": Param(None, (float, type(None)), least=0),
        },
        norm=None,
        targets="may",
        together=True,
    ),
    Attack(
        "newtonfool",
        "NewtonFool",
        "Jang, Wu and Jha, ACSAC 2017",
        "library:newtonfool",
        {"steps": Param(100, least=1), "stepsize": Param(0.01, least=0)},
    ),
    Attack(
        "deepfool",
        "DeepFool, L2",
        "arXiv 1511.04599",
        "library:deepfool",
        {"steps": Param(50, least=1), "candidates": Param(10, least=2), "overshoot": Param(0.02, least=0)},
        together=True,
    ),
    Attack(
        "cw",
        "Carlini-Wagner, L2",
        "arXiv 1608.04644",
        "library:carlini_wagner",
        {
            "binary_search_steps": Param(5, least=1),
            "steps": Param(100, least=1),
            "stepsize": Param(0.002, least=0),
            "confidence": Param(0.0, least=0),
            "initial_const": Param(0.1, least=0),
            "abort_early": Param(True),
        },
        targets="may",
    ),
    Attack(
        "spn",
        "salt and pepper noise",
        "Foolbox, arXiv 1707.04131",
        "growing:salt_and_pepper",
        _growing(1000),
        together=True,
    ),
    Attack(
        "pgd",
        "projected gradient descent, Linf",
        "arXiv 1706.06083",
        "library:pgd",
        {
            "steps": Param(40, least=1),
            "rel_stepsize": Param(1 / 30, least=0),
            "abs_stepsize": Param(None, (float, type(None)), least=0),
            "random_start": Param(True),
        },
        norm="linf",
        epsilon=4 / 255,
        bounded=True,
        targets="may",
        together=True,
    ),
)
ATTACKS = {attack.name: attack for attack in _ALL}

PAPER = ("gs", "agn", "bun", "adef", "newtonfool", "deepfool", "cw", "spn")
"""The eight of the Deep Protection paper, section 2.2: what ``all`` means."""


def find(name: str) -> Attack:
    """The attack of this name: a short one, or a class of ``foolbox.attacks``.

    Raises:
        UsageError: there is none; the message lists those that there are.
    """
    if name in ATTACKS:
        return ATTACKS[name]
    from dptools.attacks.classes import find_class, near

    if found := find_class(name):
        return found
    alike = [*get_close_matches(name.lower(), ATTACKS, n=1), *near(name)]
    hint = did_you_mean(alike)
    known = ", ".join([*ATTACKS, "all"])
    raise UsageError(f"unknown attack {name!r}{hint}: choose {known}, or a class of Foolbox (see dp-attack --list)")
