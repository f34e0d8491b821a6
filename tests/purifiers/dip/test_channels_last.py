"""The hourglass of tests/gpu is the same function as the module, in value and gradient; so are the layers of fits."""

import pytest
import torch
from gpu.channels_last import _Reflect, features
from torch import Tensor, nn
from torch.nn.functional import interpolate, pad

from dptools.layers import Pointwise
from dptools.purifiers.dip.layers import Double, Upsample
from dptools.purifiers.dip.networks import hourglass


def test_padding_and_upsampling_are_those_of_pytorch() -> None:
    x = torch.rand(1, 3, 6, 5, dtype=torch.double).contiguous(memory_format=torch.channels_last).requires_grad_()
    assert torch.allclose(_Reflect.apply(x), pad(x, (1,) * 4, mode="reflect"))
    assert torch.allclose(Double.apply(x), interpolate(x, scale_factor=2, mode="bilinear"))
    assert torch.autograd.gradcheck(_Reflect.apply, x)
    assert torch.autograd.gradcheck(Double.apply, x)


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


@pytest.mark.parametrize("form", [torch.contiguous_format, torch.channels_last])
def test_layers_have_the_values_and_gradients_of_pytorch(form: torch.memory_format) -> None:
    torch.manual_seed(0)
    x = torch.rand(1, 6, 8, 5).contiguous(memory_format=form).requires_grad_()
    pointwise, doubled = Pointwise(6, 7), nn.Upsample(scale_factor=2, mode="bilinear")
    for layer, expected in ((pointwise, nn.Conv2d.forward.__get__(pointwise)), (Upsample(), doubled)):
        assert torch.allclose(layer(x), expected(x), atol=1e-6)
        for one, other in zip(gradients(layer(x), x, pointwise), gradients(expected(x), x, pointwise), strict=True):
            assert one is other is None or torch.allclose(one, other, atol=1e-6)


def gradients(output: Tensor, x: Tensor, layer: nn.Module) -> tuple[Tensor, ...]:
    """Return the gradients of the mean square of an output, None for parameters that it does not depend on."""
    return torch.autograd.grad(output.square().mean(), [x, *layer.parameters()], allow_unused=True)
