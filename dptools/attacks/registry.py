"""The attacks by name.

A new attack is a function in a module of this package, and an entry here. This module imports torch and Foolbox only to
look up a name that is not in its table.
"""

from dataclasses import replace
from difflib import get_close_matches

from dptools.attacks.attack import Attack
from dptools.attacks.params import Param
from dptools.errors import UsageError
from dptools.lazy import LazyFunction
from dptools.texts import did_you_mean


def _lazy(module: str, name: str) -> LazyFunction:
    """Return a function of a module of this package. The module imports torch."""
    return LazyFunction(f"dptools.attacks.{module}", name)


def _search_params(steps: int, **params: Param) -> dict[str, Param]:
    """Return the parameters of the attacks in ``strength_search``."""
    return {"steps": Param(steps, minimum=1), "ceiling": Param(1.0, (int, float), minimum=0), **params}


def _noise(name: str, title: str, function: str, **params: Param) -> Attack:
    """Return an attack in ``strength_search`` that adds noise."""
    run, params = _lazy("strength_search", function), _search_params(1000, **params)
    return Attack(name, title, "Foolbox, arXiv 1707.04131", run, params, uses_gradients=False, batchable=True)


_OPTIONAL_FLOAT = (float, type(None))

EPSILONS = {"linf": 4 / 255, "l2": 0.5}
"""Default epsilon by norm."""


def _auto_attack(name: str, title: str, source: str, function: str, **params: Param) -> Attack:
    """Return an attack of AutoAttack."""
    run, uses_gradients, epsilon = _lazy("auto_attack", function), name != "square", EPSILONS["linf"]
    attack = Attack(name, title, source, run, params, "linf", epsilon, needs_epsilon=True, epsilons=EPSILONS)
    return replace(attack, uses_gradients=uses_gradients)


_AUTO = "arXiv 2003.01690"
_STEPS, _RESTARTS = {"steps": Param(100, minimum=1)}, {"restarts": Param(1, minimum=1)}
_TARGETS, _QUERIES = {"targets": Param(9, minimum=1)}, {"queries": Param(5000, minimum=1)}

_ALL = (
    Attack(
        "gs",
        "gradient sign",
        "arXiv 1412.6572",
        _lazy("strength_search", "gradient_sign"),
        _search_params(255),
        norm="linf",
        batchable=True,
    ),
    _noise("agn", "additive Gaussian noise", "gaussian_noise"),
    _noise("bun", "blended uniform noise", "blended_noise", directions=Param(1000, minimum=1)),
    Attack(
        "adef",
        "ADef, deformation",
        "arXiv 1804.07729",
        _lazy("foolbox_attacks", "adef"),
        {
            "steps": Param(100, minimum=1),
            "candidates": Param(10, minimum=2),
            "smooth": Param(1.0, minimum=0),
            "overshoot": Param(1.1, minimum=1),
            "margin": Param(0.01, minimum=0),
            "max_deformation": Param(None, _OPTIONAL_FLOAT, minimum=0),
        },
        norm=None,
        targets="may",
        batchable=True,
    ),
    Attack(
        "newtonfool",
        "NewtonFool",
        "Jang, Wu and Jha, ACSAC 2017",
        _lazy("foolbox_attacks", "newtonfool"),
        {"steps": Param(100, minimum=1), "stepsize": Param(0.01, minimum=0)},
    ),
    Attack(
        "deepfool",
        "DeepFool, L2",
        "arXiv 1511.04599",
        _lazy("foolbox_attacks", "deepfool"),
        {"steps": Param(50, minimum=1), "candidates": Param(10, minimum=2), "overshoot": Param(0.02, minimum=0)},
        batchable=True,
    ),
    Attack(
        "cw",
        "Carlini-Wagner, L2",
        "arXiv 1608.04644",
        _lazy("foolbox_attacks", "carlini_wagner"),
        {
            "binary_search_steps": Param(5, minimum=1),
            "steps": Param(100, minimum=1),
            "stepsize": Param(0.002, minimum=0),
            "confidence": Param(0.0, minimum=0),
            "initial_const": Param(0.1, minimum=0),
            "abort_early": Param(True),
        },
        targets="may",
    ),
    _noise("spn", "salt and pepper noise", "salt_and_pepper"),
    Attack(
        "pgd",
        "projected gradient descent",
        "arXiv 1706.06083",
        _lazy("foolbox_attacks", "pgd"),
        {
            "steps": Param(40, minimum=1),
            "rel_stepsize": Param(None, _OPTIONAL_FLOAT, minimum=0),
            "abs_stepsize": Param(None, _OPTIONAL_FLOAT, minimum=0),
            "random_start": Param(True),
        },
        norm="linf",
        epsilon=EPSILONS["linf"],
        needs_epsilon=True,
        targets="may",
        batchable=True,
        epsilons=EPSILONS,
    ),
    _auto_attack("apgd-ce", "Auto-PGD, cross-entropy", _AUTO, "apgd_ce", **_STEPS, **_RESTARTS),
    _auto_attack("apgd-dlr", "Auto-PGD, difference of logits", _AUTO, "apgd_dlr", **_STEPS, **_RESTARTS),
    _auto_attack("apgd-t", "Auto-PGD, targeted", _AUTO, "apgd_t", **_STEPS, **_RESTARTS, **_TARGETS),
    _auto_attack("fab-t", "FAB, targeted", "arXiv 1907.02044", "fab_t", **_STEPS, **_RESTARTS, **_TARGETS),
    _auto_attack("square", "Square, without gradients", "arXiv 1912.00049", "square", **_QUERIES, **_RESTARTS),
    _auto_attack(
        "autoattack",
        "AutoAttack",
        _AUTO,
        "auto_attack",
        version=Param("auto", choices=("auto", "standard", "rand")),
        **_STEPS,
        **_QUERIES,
    ),
)
ATTACKS = {attack.name: attack for attack in _ALL}

# The eight attacks of the Deep Protection paper, section 2.2, in its order.
PAPER = ("gs", "agn", "bun", "adef", "newtonfool", "deepfool", "cw", "spn")


def find(name: str) -> Attack:
    """Return the attack of this name: a key of ATTACKS, or a class of ``foolbox.attacks``.

    Raises:
        UsageError: There is no such attack; the message lists the choices.
    """
    if name in ATTACKS:
        return ATTACKS[name]
    from dptools.attacks.foolbox_classes import close_class_names, find_class

    if attack := find_class(name):
        return attack
    hint = did_you_mean([*get_close_matches(name.lower(), ATTACKS, n=1), *close_class_names(name)])
    raise UsageError(f"unknown attack {name!r}{hint}: choose {', '.join(ATTACKS)} or a class of foolbox.attacks")
