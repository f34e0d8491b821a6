"""What a user would pick instead of the prior: image filters that take noise, and perturbations, off an image."""

from typing import TYPE_CHECKING

from dptools.lazy import lazy
from dptools.purifiers.filters.registry import FORMS, Filter, parse_filter

if TYPE_CHECKING:
    from dptools.purifiers.filters.filtering import apply
else:
    __getattr__ = lazy(__name__, filtering=("apply",))

__all__ = ["FORMS", "Filter", "apply", "parse_filter"]
