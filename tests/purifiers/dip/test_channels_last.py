"""The hourglass for a GPU is the same function as the module, in value and gradient."""

import pytest
import torch
from torch.nn.functional import interpolate, pad

from dptools.purifiers.dip.channels_last import _Double, _Reflect, features
from dptools.purifiers.dip.networks import hourglass


def test_padding_and_upsampling_are_those_of_pytorch() -> None:
    x = torch.rand(1, 3, 6, 5, dtype=torch.double).contiguous(memory_format=torch.channels_last).requires_grad_()
    assert torch.allclose(_Reflect.apply(x), pad(x, (1,) * 4, mode="reflect"))
    assert torch.allclose(_Double.apply(x), interpolate(x, scale_factor=2, mode="bilinear"))
    assert torch.autograd.gradcheck(_Reflect.apply, x)
    assert torch.autograd.gradcheck(_Double.apply, x)


@pytest.mark.parametrize("padding", ["zeros", "reflect"])
def test_values_and_gradients_are_those_of_the_module(padding: str) -> None:
    torch.manual_seed(0)
    network = hourglass((12, 20), pad=padding).double()  # type: ignore[arg-type]
    z = torch.rand(1, 32, 16, 24).double()
    expected, found = network.body[0](z), features(network, z)
    assert torch.allclose(found, expected)
    weights = torch.rand_like(expected)
    parameters = list(network.body[0].parameters())
    for one, other in zip(
        torch.autograd.grad((expected * weights).sum(), parameters),
        torch.autograd.grad((found * weights).sum(), parameters),
        strict=True,
    ):
        assert torch.allclose(one, other, atol=1e-9)
