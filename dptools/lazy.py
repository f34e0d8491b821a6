"""Import code on first use, so that importing a package does not import torch."""

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Any


def lazy(package: str, **modules: tuple[str, ...]) -> Callable[[str], object]:
    """Return a module-level ``__getattr__`` (PEP 562) for a package.

    Args:
        package: The ``__name__`` of the package.
        modules: For each submodule, the names that the package re-exports from it.
    """
    module_of = {name: module for module, names in modules.items() for name in names}

    def get(name: str) -> object:
        if name not in module_of:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        return getattr(import_module(f"{package}.{module_of[name]}"), name)

    return get


@dataclass(frozen=True)
class LazyFunction:
    """A function that is imported when it is called. It can be pickled.

    Attributes:
        module: Full name of its module.
        name: Its name in the module.
    """

    module: str
    name: str

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Import the function and call it."""
        return getattr(import_module(self.module), self.name)(*args, **kwargs)
