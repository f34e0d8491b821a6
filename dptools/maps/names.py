"""Former name of :mod:`dptools.maps.choices`, until all imports are changed."""

from dptools.maps.choices import FORMATS, READERS
from dptools.maps.choices import MASK_METHODS as RULES

__all__ = ["FORMATS", "READERS", "RULES"]
