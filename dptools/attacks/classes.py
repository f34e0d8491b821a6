"""Every attack of Foolbox by the name of its class, with what its constructor says of it."""

import difflib
import inspect
import math
import types
from functools import cache
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import foolbox
from foolbox.attacks.base import FixedEpsilonAttack, MinimizationAttack
from foolbox.criteria import Misclassification, TargetedMisclassification
from foolbox.distances import Distance

from dptools.attacks.attack import Attack
from dptools.attacks.params import Param

NORMS = ("l0", "l1", "l2", "linf")

UNAIMED = {"L1FastGradientAttack", "L2FastGradientAttack", "LinfFastGradientAttack"}
"""These refuse a target, whatever their annotations say."""

LEAST = {"steps": 1, "population": 2, "candidates": 2, "repeats": 1, "directions": 1, "binary_search_steps": 1}
"""The smallest values with which they can do anything, which the constructors do not check."""

LEFT_OUT = {"BinarizationRefinementAttack", "DatasetAttack"}
"""These refine or reuse images that other attacks have made."""


@cache
def classes() -> dict[str, type[foolbox.attacks.Attack]]:
    """What ``--attack`` takes besides the short names, abbreviations such as LinfPGD included."""
    members = inspect.getmembers(foolbox.attacks, inspect.isclass)
    attacks = {name: found for name, found in members if issubclass(found, foolbox.attacks.Attack)}
    return {name: found for name, found in attacks.items() if not (inspect.isabstract(found) or name in LEFT_OUT)}


def find_class(name: str) -> Attack | None:
    """The attack of this class, if Foolbox has it."""
    if (found := classes().get(name)) is None:
        return None
    return Attack(
        name,
        found.__name__,
        "Foolbox, arXiv 1707.04131",
        "library:run",
        _params(found),
        norm=_norm(found),
        bounded=issubclass(found, FixedEpsilonAttack),
        targets=_targets(found),
        fixed={"attack": found.__name__},
    )


def near(name: str) -> list[str]:
    """Classes whose names are nearly this one."""
    lower = {known.lower(): known for known in classes()}
    return [lower[each] for each in difflib.get_close_matches(name.lower(), lower, n=3)]


def _params(found: type) -> dict[str, Param]:
    """The constructor's parameters that can be written in a few characters."""
    if found.__init__ is object.__init__:  # type: ignore[misc]
        return {}
    hints, params = get_type_hints(found.__init__), {}  # type: ignore[misc]
    for name, parameter in list(inspect.signature(found).parameters.items()):
        if name in hints and (param := _param(name, hints[name], parameter.default)):
            params[name] = param
    return params


def _param(name: str, hint: Any, default: Any) -> Param | None:
    default = ... if default is inspect.Parameter.empty else default
    options = _options(hint)
    if Distance in options:
        return Param("l2", choices=NORMS)
    words = tuple(str(word) for option in options for word in get_args(option) if get_origin(option) is Literal)
    kinds = tuple(option for option in options if option in (bool, int, float, type(None)))
    if float in kinds:
        kinds = (*kinds, int)
    known = all(option in kinds or get_origin(option) is Literal for option in options)
    return Param(default, kinds, least=LEAST.get(name, -math.inf), choices=words) if known else None


def _options(hint: Any) -> tuple[Any, ...]:
    return get_args(hint) if get_origin(hint) in (Union, types.UnionType) else (hint,)


def _norm(found: type) -> str | None:
    if not issubclass(found, FixedEpsilonAttack | MinimizationAttack):
        return None
    distance = getattr(found, "distance", None)
    if isinstance(distance, property):
        return _instance_norm(found)
    return _name(distance)


def _instance_norm(found: type) -> str | None:
    params = inspect.signature(found).parameters
    if "distance" in params:
        return "l2"
    try:
        return _name(found().distance)
    except AttributeError:  # PointwiseAttack never sets its own
        return None


def _name(distance: Any) -> str:
    return "linf" if distance.p == float("inf") else f"l{distance.p}"


def _targets(found: type) -> str:
    hint = get_type_hints(getattr(found, "run", found.__call__)).get("criterion")
    options = _options(hint)
    if TargetedMisclassification not in options or found.__name__ in UNAIMED:
        return "no"
    return "may" if Misclassification in options else "must"
