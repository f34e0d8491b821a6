"""Names of a package that are imported when they are first used, so that its light parts do not wait for torch."""

from collections.abc import Callable
from importlib import import_module


def lazy(package: str, **modules: tuple[str, ...]) -> Callable[[str], object]:
    """A ``__getattr__`` (PEP 562) for a package.

    Args:
        package: its ``__name__``.
        modules: for each of its modules, the names that the package offers from there.
    """
    homes = {name: module for module, names in modules.items() for name in names}

    def get(name: str) -> object:
        if name not in homes:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        return getattr(import_module(f"{package}.{homes[name]}"), name)

    return get
