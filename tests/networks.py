"""A small network with fixed random weights, and an image, for tests of attacks."""

import torch
from torch import Tensor, nn

SEED = 5


class Network(nn.Module):
    """A small convolutional network with fixed random weights."""

    def __init__(self, classes: int = 7) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(1)
        self.first = torch.randn(16, 3, 5, 5, generator=generator) / 5
        self.second = torch.randn(classes, 16, generator=generator)

    def forward(self, images: Tensor) -> Tensor:
        features = nn.functional.conv2d(images - 0.5, self.first, stride=2).relu()
        return features.mean((2, 3)) @ self.second.T


IMAGE = (torch.rand(1, 3, 32, 32, generator=torch.Generator().manual_seed(2)) * 255).round() / 255
NETWORK = Network().eval()
LABEL = int(NETWORK(IMAGE).argmax())
