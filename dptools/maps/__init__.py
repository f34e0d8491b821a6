"""Text out of scanned maps."""

from dptools.maps.residual import RULES, text_mask

__all__ = ["RULES", "text_mask"]
