"""The description of an attack: its name, parameters and limits. Nothing here imports torch."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

from dptools.attacks.params import REQUIRED, Param

if TYPE_CHECKING:
    from dptools.attacks.attack_batch import AttackBatch
    from dptools.attacks.raw_result import RawResult


STEPS_LENGTH = 2.5
"""Length of all steps of an iterative attack together, as a multiple of epsilon, unless the user sets a step size.

From any starting point, such an attack can reach every point of the ball (Madry et al., arXiv 1706.06083).
"""


class SettingError(ValueError):
    """An attack cannot run with these settings.

    Attributes:
        setting: The setting at fault: ``epsilon``, ``norm``, ``target`` or ``params``.
    """

    def __init__(self, setting: Literal["epsilon", "norm", "target", "params"], message: str) -> None:
        super().__init__(message)
        self.setting = setting


@dataclass(frozen=True)
class Attack:
    """An attack and its settings.

    >>> attack = find("pgd").configure(epsilon=8 / 255, steps=20)

    Attributes:
        name: Short name as in the Deep Protection paper, or the name of a class of ``foolbox.attacks``.
        title: Full name.
        source: Publication that describes the attack.
        run: Implementation, called as ``run(batch, epsilon=..., **params)``. Must be picklable.
        params: Parameters by name.
        norm: Norm that measures epsilon: ``l0``, ``l1``, ``l2`` or ``linf``; None if the attack takes no epsilon.
        epsilon: Largest perturbation on the [0, 1] scale; None for no limit.
        needs_epsilon: Whether the attack searches within epsilon. Other attacks minimise the perturbation.
        targets: Whether the attack accepts a target class: ``no``, ``may`` or ``must``.
        batchable: Whether an attack on a batch gives the same results as attacks on its single images.
        uses_gradients: Whether the attack needs gradients of the classifier.
        epsilons: Default epsilon by norm, if the norm can be chosen. ``run`` then gets the norm, too.
        values: Parameter values that differ from the defaults.
    """

    name: str
    title: str
    source: str
    run: Callable[..., "RawResult"]
    params: Mapping[str, Param] = field(default_factory=dict)
    norm: str | None = "l2"
    epsilon: float | None = None
    needs_epsilon: bool = False
    targets: Literal["no", "may", "must"] = "no"
    batchable: bool = False
    uses_gradients: bool = True
    epsilons: Mapping[str, float] = field(default_factory=dict)
    values: Mapping[str, Any] = field(default_factory=dict)

    @property
    def settings(self) -> dict[str, Any]:
        """The value of every parameter, and the step size that applies."""
        values = {name: self.values.get(name, param.default) for name, param in self.params.items()}
        if self.chooses_stepsize:
            values["rel_stepsize"] = STEPS_LENGTH / values["steps"]
        return values

    @property
    def chooses_stepsize(self) -> bool:
        """Whether the step size follows from the number of steps: the user has set none."""
        if not {"steps", "rel_stepsize", "abs_stepsize"} <= set(self.params):
            return False
        return all(self.values.get(name) is None for name in ("rel_stepsize", "abs_stepsize"))

    @property
    def steps_length(self) -> float | None:
        """The length of all steps together, as a multiple of epsilon; None if the attack has no step size."""
        values = self.settings
        size = values.get("rel_stepsize")
        if self.epsilon and (absolute := values.get("abs_stepsize")) is not None:
            size = absolute / self.epsilon
        return None if size is None or "steps" not in values else float(size * values["steps"])

    def __call__(self, batch: "AttackBatch") -> "RawResult":
        """Attack all images of the batch."""
        norm = {"norm": self.norm} if self.epsilons else {}
        return self.run(batch, epsilon=self.epsilon, **norm, **self.settings)

    def param(self, name: str) -> Param:
        """Return the parameter of this name.

        Raises:
            SettingError: The attack has no such parameter.
        """
        if name not in self.params:
            known = ", ".join(self.params) or "no parameters"
            raise SettingError("params", f"{self.name} has no parameter {name!r}: it takes {known}")
        return self.params[name]

    def configure(self, *, norm: str | None = None, epsilon: float | None = None, **values: Any) -> "Attack":
        """Return a copy with other settings.

        Args:
            norm: Norm that bounds the perturbation; None keeps the present one. Another norm changes epsilon to its
                default in that norm.
            epsilon: Largest perturbation in the attack's norm, on the [0, 1] scale; None keeps the present one.
            values: Parameter values by name.

        Raises:
            SettingError: The attack has no such parameter, or does not accept the value.
        """
        if norm not in (None, self.norm):
            return self._with_norm(norm or "").configure(epsilon=epsilon, **values)
        for name, value in values.items():
            if not (param := self.param(name)).accepts(value):
                raise SettingError("params", f"{self.name}: {name}={value}: give {param}")
        # Some classes of Foolbox measure epsilon in the norm of a parameter; HopSkipJump calls it ``constraint``.
        if own := values.get("constraint") or values.get("distance"):
            return replace(self, norm=own, values={**self.values, **values}).configure(epsilon=epsilon)
        if epsilon is None:
            return replace(self, values={**self.values, **values})
        self._check_epsilon(epsilon, math.inf)
        return replace(self, values={**self.values, **values}, epsilon=epsilon)

    def check(self, *, targeted: bool, values_per_image: int | None = None) -> None:
        """Check that the attack has the settings that it needs.

        Args:
            targeted: Whether there is a target class.
            values_per_image: Number of values in an image, which bounds epsilon; None if not known yet.

        Raises:
            SettingError: A setting is missing, out of range or not supported.
        """
        if self.needs_epsilon and self.epsilon is None:
            raise SettingError("epsilon", f"{self.name} needs an epsilon {self._epsilon_range()}")
        if self.epsilon is not None and values_per_image is not None:
            self._check_epsilon(self.epsilon, values_per_image)
        if targeted and self.targets == "no":
            raise SettingError("target", f"{self.name} does not support a target class")
        if not targeted and self.targets == "must":
            raise SettingError("target", f"{self.name} needs a target class")
        if missing := [name for name, value in self.settings.items() if value is REQUIRED]:
            raise SettingError("params", f"{self.name} needs a value for {missing[0]}: {self.params[missing[0]]}")

    def _with_norm(self, norm: str) -> "Attack":
        if norm not in self.epsilons:
            known = " or ".join(self.epsilons) if self.epsilons else f"only {self.norm or 'its own measure'}"
            raise SettingError("norm", f"{self.name}: {norm}: it takes {known}")
        return replace(self, norm=norm, epsilon=self.epsilons[norm])

    def _check_epsilon(self, epsilon: float, values_per_image: float) -> None:
        if self.norm is None:
            raise SettingError("epsilon", f"{self.name} takes no epsilon: set {', '.join(self.params)}")
        if not 0 < epsilon <= self._largest_epsilon(values_per_image) or epsilon == math.inf:
            expected = self._epsilon_range(values_per_image)
            raise SettingError("epsilon", f"{self.name} needs an epsilon {expected}; got {epsilon:g}")

    def _epsilon_range(self, values_per_image: float = math.inf) -> str:
        largest = self._largest_epsilon(values_per_image)
        limit = f" and at most {largest:g}" if largest < math.inf else ""
        return f"above 0{limit} in {self.norm}{', such as 8/255' if self.norm == 'linf' else ''}"

    def _largest_epsilon(self, values_per_image: float) -> float:
        """Return the largest distance between two images."""
        return {"linf": 1.0, "l2": math.sqrt(values_per_image)}.get(self.norm or "", values_per_image)
