"""Run a network that accepts one batch size only on batches of any size."""

from collections.abc import Callable

import torch
from torch import Tensor


def in_batches(network: Callable[[Tensor], Tensor], images: Tensor, size: int | None) -> Tensor:
    """Return the scores of images, B x classes.

    Args:
        network: maps images to scores.
        images: B x 3 x H x W.
        size: the batch size of the network; None if it accepts any. The last batch is filled up with its last image.
    """
    if size is None or len(images) == size:
        return network(images)
    missing = -len(images) % size
    padded = torch.cat([images, images[-1:].expand(missing, -1, -1, -1)]) if missing else images
    return torch.cat([network(batch) for batch in torch.split(padded, size)])[: len(images)]
