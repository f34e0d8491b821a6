"""What networks of several folders use: a layer, and calls with a fixed batch size."""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn.functional import linear


class Pointwise(nn.Conv2d):
    """A convolution with a kernel of one pixel.

    On a CPU, it is one matrix product, without a copy of the features, if these are in channels-last layout.
    """

    def __init__(self, in_channels: int, out_channels: int, bias: bool = True) -> None:
        super().__init__(in_channels, out_channels, 1, bias=bias)

    def forward(self, x: Tensor) -> Tensor:
        """Return features, B x out_channels x H x W, of an input B x in_channels x H x W."""
        if x.device.type != "cpu":
            return super().forward(x)
        return linear(x.permute(0, 2, 3, 1), self.weight[:, :, 0, 0], self.bias).permute(0, 3, 1, 2)


def in_batches(network: Callable[[Tensor], Tensor], images: Tensor, size: int | None) -> Tensor:
    """Return the scores of images, B x classes, computed in batches of one size.

    Args:
        network: Maps images to scores.
        images: B x 3 x H x W.
        size: Batch size; None for one batch of all images. The last batch is padded with copies of its last image.
    """
    if size is None:
        return network(images)
    missing = -len(images) % size
    padded = torch.cat([images, images[-1:].expand(missing, -1, -1, -1)]) if missing else images
    return torch.cat([network(batch) for batch in torch.split(padded, size)])[: len(images)]
