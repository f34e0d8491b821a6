"""Filters as purifiers."""

from collections.abc import Sequence

import torch
from torch import Tensor

from dptools.pixels import to_pixels
from dptools.purifiers.filters.filtering import apply
from dptools.purifiers.filters.registry import Filter
from dptools.purifiers.purifier import Purifier


class FilterPurifier(Purifier):
    """A filter of 8-bit images: values are rounded to multiples of 1/255 and limited to [0, 1] first."""

    def __init__(self, chosen: Filter) -> None:
        super().__init__()
        self.chosen = chosen

    def extra_repr(self) -> str:
        return str(self.chosen)

    def purify(self, images: Tensor, seeds: Sequence[int]) -> Tensor:
        filtered = torch.stack([torch.from_numpy(apply(self.chosen, image).copy()) for image in to_pixels(images)])
        return (filtered.permute(0, 3, 1, 2).to(images.device).float() / 255).to(images.dtype)
