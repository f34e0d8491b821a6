"""Find parts of a network that PyTorch does not see, because they are in a plain list, tuple, set or dictionary.

Such parts stay in training mode after ``eval()``, and neither ``state_dict()`` nor ``to()`` reaches them.
"""

from collections.abc import Iterator, Mapping
from itertools import chain

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.dropout import _DropoutNd

from dptools.errors import UsageError

Part = nn.Module | nn.Parameter

REGISTERED = ("_modules", "_parameters", "_buffers")
"""The attributes of a module that hold what PyTorch sees."""

_RANDOM_OR_ADAPTIVE = (_DropoutNd, _BatchNorm, nn.RReLU)
"""The modules without parameters or buffers that compute something else after ``eval()``."""


def check_registered(network: nn.Module, name: str) -> None:
    """Check that PyTorch sees all parts of a network that it must see.

    A hidden activation function, for example, does no harm. Hooks are no parts.

    Args:
        network: The network.
        name: Its name, for the error message.

    Raises:
        UsageError: It does not.
    """
    seen = {id(part) for part in chain(network.modules(), network.parameters())}
    for module in network.modules():
        for attribute, value in vars(module).items():
            for part in () if attribute in REGISTERED or "_hooks" in attribute else _parts(value, set()):
                if id(part) not in seen and _matters(part):
                    kind = "Module" if isinstance(part, nn.Module) else "Parameter"
                    raise UsageError(
                        f"{name}: {type(module).__name__}.{attribute} is a plain {type(value).__name__}, so PyTorch "
                        f"does not see the networks or parameters in it: use nn.{kind}List or nn.{kind}Dict"
                    )


def _matters(part: Part) -> bool:
    """Return whether a part has parameters or buffers, or depends on ``eval()``."""
    if isinstance(part, nn.Parameter) or next(chain(part.parameters(), part.buffers()), None) is not None:
        return True
    return any(
        isinstance(module, _RANDOM_OR_ADAPTIVE)
        or "drop" in type(module).__name__.lower()  # timm's DropPath, for example
        for module in part.modules()
    )


def _parts(value: object, visited: set[int]) -> Iterator[Part]:
    """Yield the modules and parameters in a container and in the containers inside of it."""
    if not isinstance(value, list | tuple | set | frozenset | Mapping) or id(value) in visited:
        return
    visited.add(id(value))
    for item in value.values() if isinstance(value, Mapping) else value:
        if isinstance(item, nn.Module | nn.Parameter):
            yield item
        else:
            yield from _parts(item, visited)
