"""Descriptions of all attack classes of Foolbox, read from their constructors and annotations."""

import difflib
import inspect
import math
import types
from functools import cache, partial
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import foolbox
from foolbox.attacks.base import FixedEpsilonAttack, MinimizationAttack
from foolbox.criteria import Misclassification, TargetedMisclassification
from foolbox.distances import Distance

from dptools.attacks.attack import Attack
from dptools.attacks.foolbox_attacks import run_class
from dptools.attacks.norms import DISTANCES
from dptools.attacks.params import REQUIRED, Param

# These classes reject a target class, although their annotations allow it.
UNTARGETED = {"L1FastGradientAttack", "L2FastGradientAttack", "LinfFastGradientAttack"}

# The smallest values with which the attacks work. Foolbox's constructors do not check them.
MINIMUM = {"steps": 1, "population": 2, "candidates": 2, "repeats": 1, "directions": 1, "binary_search_steps": 1}

# Parts of the names of the classes that need no gradients.
GRADIENT_FREE = (
    *("AdditiveGaussian", "AdditiveUniform", "BoundaryAttack", "BlendedUniform", "Blur", "ContrastReduction"),
    *("GenAttack", "HopSkipJump", "Inversion", "Pointwise", "SaltAndPepper", "Spatial"),
)

# These classes need input besides the images: starting points from another attack, or a data set.
EXCLUDED = {"BinarizationRefinementAttack", "DatasetAttack"}


@cache
def foolbox_classes() -> dict[str, type[foolbox.attacks.Attack]]:
    """Return the attack classes by name. Abbreviations such as LinfPGD are separate names."""
    members = inspect.getmembers(foolbox.attacks, inspect.isclass)
    attacks = {name: class_ for name, class_ in members if issubclass(class_, foolbox.attacks.Attack)}
    return {name: class_ for name, class_ in attacks.items() if not (inspect.isabstract(class_) or name in EXCLUDED)}


def find_class(name: str) -> Attack | None:
    """Return the attack of this class, or None if Foolbox has no such class."""
    if (class_ := foolbox_classes().get(name)) is None:
        return None
    return Attack(
        name,
        class_.__name__,
        "Foolbox, arXiv 1707.04131",
        partial(run_class, class_name=class_.__name__),
        _params(class_),
        norm=_norm(class_),
        needs_epsilon=issubclass(class_, FixedEpsilonAttack),
        targets=_targets(class_),
        uses_gradients=not any(word in class_.__name__ for word in GRADIENT_FREE),
    )


def close_class_names(name: str) -> list[str]:
    """Return up to three class names that are similar to this one."""
    by_lower = {known.lower(): known for known in foolbox_classes()}
    return [by_lower[match] for match in difflib.get_close_matches(name.lower(), by_lower, n=3)]


def _params(class_: type) -> dict[str, Param]:
    """Return the parameters of the constructor that have a short text form."""
    if class_.__init__ is object.__init__:  # type: ignore[misc]
        return {}
    hints, params = get_type_hints(class_.__init__), {}  # type: ignore[misc]
    for name, parameter in inspect.signature(class_).parameters.items():
        if name in hints and (param := _param(name, hints[name], parameter.default)):
            params[name] = param
    if {"steps", "rel_stepsize", "abs_stepsize"} <= set(params):
        params["rel_stepsize"] = Param(None, (int, float, type(None)), minimum=0)  # see Attack.chooses_stepsize
    return params


def _param(name: str, hint: Any, default: Any) -> Param | None:
    default = REQUIRED if default is inspect.Parameter.empty else default
    options = _union_members(hint)
    if Distance in options:
        return Param("l2", choices=tuple(DISTANCES))
    words = tuple(str(word) for option in options for word in get_args(option) if get_origin(option) is Literal)
    kinds = tuple(option for option in options if option in (bool, int, float, type(None)))
    if float in kinds:
        kinds = (*kinds, int)
    has_text_form = all(option in kinds or get_origin(option) is Literal for option in options)
    return Param(default, kinds, minimum=MINIMUM.get(name, -math.inf), choices=words) if has_text_form else None


def _union_members(hint: Any) -> tuple[Any, ...]:
    return get_args(hint) if get_origin(hint) in (Union, types.UnionType) else (hint,)


def _norm(class_: type) -> str | None:
    if not issubclass(class_, FixedEpsilonAttack | MinimizationAttack):
        return None
    if class_.__name__ == "HopSkipJumpAttack":  # Foolbox names L1, but measures its default constraint, L2
        return "l2"
    distance: Any = getattr(class_, "distance", None)
    if isinstance(distance, property):
        if "distance" in inspect.signature(class_).parameters:
            return "l2"
        try:
            distance = class_().distance
        except AttributeError:  # PointwiseAttack does not set its distance.
            return None
    return "linf" if distance.p == math.inf else f"l{distance.p}"


def _targets(class_: type) -> Literal["no", "may", "must"]:
    hint = get_type_hints(getattr(class_, "run", class_.__call__)).get("criterion")
    options = _union_members(hint)
    if TargetedMisclassification not in options or class_.__name__ in UNTARGETED:
        return "no"
    return "may" if Misclassification in options else "must"
