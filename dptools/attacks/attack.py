"""The description of an attack: its name, parameters and limits. Nothing here imports torch."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

from dptools.attacks.params import REQUIRED, Param

if TYPE_CHECKING:
    from dptools.attacks.attack_batch import AttackBatch
    from dptools.attacks.raw_result import RawResult


class SettingError(ValueError):
    """An attack cannot run with these settings.

    Attributes:
        setting: The setting at fault: ``epsilon``, ``target`` or ``params``.
    """

    def __init__(self, setting: Literal["epsilon", "target", "params"], message: str) -> None:
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
    values: Mapping[str, Any] = field(default_factory=dict)

    @property
    def settings(self) -> dict[str, Any]:
        """The value of every parameter."""
        return {name: self.values.get(name, param.default) for name, param in self.params.items()}

    def __call__(self, batch: "AttackBatch") -> "RawResult":
        """Attack all images of the batch."""
        return self.run(batch, epsilon=self.epsilon, **self.settings)

    def param(self, name: str) -> Param:
        """Return the parameter of this name.

        Raises:
            SettingError: The attack has no such parameter.
        """
        if name not in self.params:
            known = ", ".join(self.params) or "no parameters"
            raise SettingError("params", f"{self.name} has no parameter {name!r}: it takes {known}")
        return self.params[name]

    def configure(self, *, epsilon: float | None = None, **values: Any) -> "Attack":
        """Return a copy with other settings.

        Args:
            epsilon: Largest perturbation in the attack's norm, on the [0, 1] scale; None keeps the present one.
            values: Parameter values by name.

        Raises:
            SettingError: The attack has no such parameter, or does not accept the value.
        """
        for name, value in values.items():
            if not (param := self.param(name)).accepts(value):
                raise SettingError("params", f"{self.name}: {name}={value}: give {param}")
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
