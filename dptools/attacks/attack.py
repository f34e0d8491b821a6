"""An attack as it is chosen and set: plain values, without torch."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from typing import TYPE_CHECKING, Any

from dptools.attacks.params import Param

if TYPE_CHECKING:
    from dptools.attacks.attack_batch import AttackBatch
    from dptools.attacks.raw_result import RawResult


@dataclass(frozen=True)
class Attack:
    """An attack and how it is set.

    Attributes:
        name: short, as in the Deep Protection paper, or a class of Foolbox.
        title: its full name.
        source: where it was published.
        function: ``module:function`` below ``dptools.attacks``: problem, epsilon and params to an Attempt.
        params: what it can be given.
        norm: ``l0``, ``l1``, ``l2`` or ``linf``: what epsilon bounds; None where there is no epsilon.
        epsilon: the largest perturbation, on the [0, 1] scale; None for no limit.
        bounded: it looks for an image within epsilon, and needs one; others look for the smallest perturbation.
        targets: whether it can aim at a class: ``no``, ``may`` or ``must``.
        together: images attacked together come out as they would alone.
        values: what it is given of its params, where that is not the default.
        fixed: what the function is given besides.
    """

    name: str
    title: str
    source: str
    function: str
    params: Mapping[str, Param] = field(default_factory=dict)
    norm: str | None = "l2"
    epsilon: float | None = None
    bounded: bool = False
    targets: str = "no"
    together: bool = False
    values: Mapping[str, Any] = field(default_factory=dict)
    fixed: Mapping[str, Any] = field(default_factory=dict)

    @property
    def settings(self) -> dict[str, Any]:
        """All params with their values."""
        return {name: self.values.get(name, param.default) for name, param in self.params.items()}

    def __call__(self, problem: "AttackBatch") -> "RawResult":
        module, _, function = self.function.partition(":")
        attempt: Callable[..., RawResult] = getattr(import_module(f"dptools.attacks.{module}"), function)
        return attempt(problem, epsilon=self.epsilon, **self.fixed, **self.settings)
