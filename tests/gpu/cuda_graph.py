"""Fits on a GPU: the whole step of a fit is one CUDA graph, and several fits run on streams side by side.

A step of one fit launches several hundred small kernels, so the launches cost more time than the computation. A CUDA
graph launches them all at once. Several fits on their own streams fill the GPU.

Only the scripts in this folder use it: dp-denoise runs ``dptools/purifiers/dip/loop.py``, one fit after another, on a
GPU too.
"""

from collections.abc import Callable, Sequence
from typing import cast

import torch
from channels_last import features
from torch import Tensor
from torch.nn.functional import avg_pool2d, mse_loss

from dptools.purifiers.dip.networks import PriorNetwork
from dptools.purifiers.random_weights import with_random_weights

STATISTICS = ("loss", "error_clean", "variance", "worst_patch")
"""Values that are recorded at every step.

``loss`` and ``error_clean`` are mean squared errors against the attacked and the clean image. ``variance`` is the
running variance of ES-EMV (arXiv 2112.06074). ``worst_patch`` is the largest mean squared error of a 32 x 32 patch
(DIPDefend).
"""

WARM_UP = 3
"""Steps that run before the graph is captured."""


class Slot:
    """A CUDA graph that runs one step of a fit. Its buffers are reused for one image after another.

    Args:
        make: returns a network with random weights.
        shape: shape of the images, 1 x 3 x H x W; sides are multiples of the network's ``size_divisor``.
        device: the GPU.
        steps: largest number of steps of a fit.
        learning_rate: Adam's learning rate.
        bf16: compute convolutions in bfloat16; batch normalisation's statistics, the last convolution, the loss and
            Adam stay in fp32.
    """

    def __init__(
        self,
        make: Callable[[], PriorNetwork],
        shape: Sequence[int],
        device: torch.device,
        *,
        steps: int,
        learning_rate: float = 0.01,
        bf16: bool = True,
    ) -> None:
        self.make, self.bf16 = make, bf16
        self.network = make().to(device).to(memory_format=torch.channels_last)
        height, width = shape[-2:]
        shrink = self.network.shrink
        self.z = torch.zeros(1, self.network.input_depth, height // shrink, width // shrink, device=device)
        self.z = self.z.contiguous(memory_format=torch.channels_last)
        self.image, self.clean, self.output, self.mean = (torch.zeros(*shape, device=device) for _ in range(4))
        self.variance = torch.zeros((), device=device)
        self.step = torch.zeros(1, dtype=torch.int64, device=device)
        self.statistics = torch.zeros(steps, len(STATISTICS), device=device)
        self.optimizer = torch.optim.Adam(self.network.parameters(), learning_rate, capturable=True, fused=True)
        self.stream = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
        self._capture()

    def load(self, image: Tensor, clean: Tensor, seed: int) -> None:
        """Begin a new fit.

        Args:
            image: image to fit, 1 x 3 x H x W in [0, 1].
            clean: clean image, used for the statistics only.
            seed: seed of the weights and of the network's input.
        """
        fresh = with_random_weights(self.make, seed)
        z = fresh.draw_input(image.shape[-2], image.shape[-1], torch.Generator().manual_seed(seed))
        with torch.no_grad():
            for old, new in zip(self.network.parameters(), fresh.parameters(), strict=True):
                old.copy_(new)
            for state in self.optimizer.state.values():
                for value in state.values():
                    value.zero_()
        for buffer, value in ((self.z, z), (self.image, image), (self.clean, clean)):
            buffer.copy_(value)
        for buffer in (self.mean, self.variance, self.step, self.statistics):
            buffer.zero_()

    def replay(self) -> None:
        """Start one step on the slot's stream."""
        with torch.cuda.stream(self.stream):
            self.graph.replay()

    def _capture(self) -> None:
        self.stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(self.stream):
            for _ in range(WARM_UP):
                self._advance()
            self.step.zero_()
        torch.cuda.synchronize()
        self.graph = torch.cuda.CUDAGraph()
        self.optimizer.zero_grad(set_to_none=True)
        with torch.cuda.graph(self.graph, stream=self.stream):
            self._advance()

    def _forward(self, z: Tensor) -> Tensor:
        last, shuffle = self.network.body[1], self.network.body[2]
        with torch.autocast("cuda", torch.bfloat16, enabled=self.bf16, cache_enabled=False):
            hidden = features(self.network, z)
        return cast(Tensor, shuffle(last(hidden.float()))).sigmoid()

    def _advance(self) -> None:
        self.optimizer.zero_grad(set_to_none=True)
        output = self._forward(self.z)
        loss = mse_loss(output, self.image)
        loss.backward()  # type: ignore[no-untyped-call]
        self.optimizer.step()
        with torch.no_grad():
            self._record(output.detach(), loss.detach())

    def _record(self, output: Tensor, loss: Tensor) -> None:
        self.output.copy_(output)
        self.mean.copy_(torch.where(self.step == 0, output, self.mean))
        distance = output - self.mean
        self.mean.add_(distance, alpha=0.1)
        self.variance.copy_(0.9 * (self.variance + 0.1 * distance.square().mean()))
        squared = (output - self.image).square().mean(1, keepdim=True)
        worst = avg_pool2d(squared, 32, ceil_mode=True, count_include_pad=False).max()
        row = torch.stack([loss, mse_loss(output, self.clean), self.variance, worst])[None]
        self.statistics.index_copy_(0, self.step, row)
        self.step.add_(1)


def run(slots: Sequence[Slot], steps: int) -> None:
    """Run this number of steps of the fits in all slots, side by side, and wait until they are done."""
    torch.cuda.synchronize()
    for _ in range(steps):
        for slot in slots:
            slot.replay()
    torch.cuda.synchronize()
