"""How suspicious an image is: whether other views of it confirm what the classifier saw."""

from typing import TYPE_CHECKING

from dptools.lazy import lazy

if TYPE_CHECKING:
    from dptools.detection.scores import doubt, suspicion
else:
    __getattr__ = lazy(__name__, scores=("doubt", "suspicion"))

__all__ = ["doubt", "suspicion"]
