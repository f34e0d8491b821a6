"""The attacks by their short names. A new one is one function in a module of its kind, and one line here.

Nothing here imports torch or Foolbox, so that names can be checked and listed at once.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from importlib import import_module
from typing import TYPE_CHECKING, Any

from dptools.errors import check_name

if TYPE_CHECKING:
    from foolbox import PyTorchModel
    from torch import Tensor

    Attempt = Callable[..., Tensor]
    """``(model, image, label, **params)`` to an image that may be adversarial, 1 x 3 x H x W in [0, 1]."""
else:
    Attempt = Callable


@dataclass(frozen=True)
class Attack:
    """An attack.

    Attributes:
        name: short, as in the Deep Protection paper.
        title: its full name.
        source: where it was published.
        function: ``module:function`` below ``dptools.attacks``.
        params: what it can be given, with the defaults.
    """

    name: str
    title: str
    source: str
    function: str
    params: dict[str, Any] = field(default_factory=dict)

    def __call__(self, model: "PyTorchModel", image: "Tensor", label: "Tensor") -> "Tensor":
        module, _, function = self.function.partition(":")
        attempt: Attempt = getattr(import_module(f"dptools.attacks.{module}"), function)
        return attempt(model, image, label, **self.params)


_ALL = (
    Attack("gs", "gradient sign", "arXiv 1412.6572", "paper:gradient_sign", {"max_epsilon": 255}),
    Attack("deepfool", "DeepFool L2", "arXiv 1511.04599", "paper:deepfool", {"steps": 50, "overshoot": 0.02}),
)
ATTACKS = {attack.name: attack for attack in _ALL}


def find(name: str) -> Attack:
    """The attack of this name.

    Raises:
        UsageError: there is none; the message lists those that there are.
    """
    return ATTACKS[check_name("attack", name, [*ATTACKS, "all"])]
