"""The library interface: purifiers are modules that compose, check their input, and have true gradients or none."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

import dptools
from dptools.certify.smoothing import parse_defence
from dptools.errors import UsageError
from dptools.purifiers import METHODS, DeepImagePrior, Denoiser, Purifier, StraightThrough, load, parse_method
from dptools.purifiers.dip import FitSettings, Fixed

FAST = {"dip": FitSettings(stop=Fixed(2)), "paper": FitSettings("paper", "mse", stop=Fixed(1), precision="fp32")}


def make(name: str) -> Purifier:
    """Return the purifier of this name; fits are cut short."""
    return DeepImagePrior(FAST[name]) if name in FAST else load(name)


def images(count: int = 2) -> Tensor:
    """Return images of strong noise; the last one has faint noise."""
    noise = torch.rand(count, 3, 40, 56, generator=torch.Generator().manual_seed(0))
    return torch.cat([noise[:-1], 0.4 + 0.02 * noise[-1:]])


@pytest.mark.parametrize("name", METHODS)
def test_every_method_returns_images_of_the_same_shape(name: str) -> None:
    purify = make(name)
    assert isinstance(purify, nn.Module)
    output = purify(images())
    assert output.shape == (2, 3, 40, 56)
    assert output.dtype == torch.float32
    assert output.min() >= 0
    assert output.max() <= 1
    assert not torch.equal(output, images())


@pytest.mark.parametrize("name", METHODS)
def test_the_seed_of_an_image_alone_decides_its_output(name: str) -> None:
    purify = make(name)
    both = purify(images(), seeds=[5, 6])
    alone = purify(images()[1:], seeds=[6])
    assert torch.equal(both[1:], alone)
    assert torch.equal(purify(images()[1:], seeds=[7]), alone) == (not purify.random)


@pytest.mark.parametrize("name", ["denoiser", "dip"])
def test_without_seeds_the_global_generator_decides(name: str) -> None:
    purify = make(name)
    torch.manual_seed(1)
    first, second = purify(images()), purify(images())
    torch.manual_seed(1)
    assert torch.equal(purify(images()), first)
    assert not torch.equal(first, second)


def test_no_images_give_no_images() -> None:
    assert load("denoiser")(torch.zeros(0, 3, 8, 8)).shape == (0, 3, 8, 8)


@pytest.mark.parametrize("name", ["denoiser", "dip", "median:3"])
@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (torch.zeros(3, 8, 8), r"B x 3 x H x W, got \(3, 8, 8\)"),
        (torch.zeros(1, 1, 8, 8), r"got \(1, 1, 8, 8\)"),
        (torch.zeros(1, 3, 0, 8), r"got \(1, 3, 0, 8\)"),
        (torch.zeros(1, 3, 8, 8, dtype=torch.uint8), "got torch.uint8; divide 8-bit values by 255"),
        (torch.full((1, 3, 8, 8), float("nan")), "finite"),
    ],
)
def test_wrong_input_is_refused_with_what_was_given(name: str, wrong: Tensor, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        load(name)(wrong)


def test_seeds_must_match_the_images() -> None:
    with pytest.raises(ValueError, match="one seed for each of 2 images, got 1"):
        load("denoiser")(images(), seeds=[1])


def test_values_beyond_the_range_are_accepted() -> None:
    """Certification adds unclipped noise."""
    assert load("denoiser")(images() * 3 - 1).isfinite().all()


@pytest.mark.parametrize("name", ["dip", "paper", "jpeg:50", "median:3"])
def test_methods_without_gradients_raise_under_autograd(name: str) -> None:
    purify = make(name)
    with pytest.raises(RuntimeError, match="has no gradient"):
        purify(images().requires_grad_())
    with torch.no_grad():
        assert purify(images().requires_grad_()).shape == (2, 3, 40, 56)


def test_the_gradient_of_the_denoiser_is_that_of_its_output() -> None:
    """Compare with a finite difference along the gradient, for fixed draws, without texture."""
    purify = Denoiser(dptools.purifiers.denoiser.DenoiserSettings(precision="fp32")).double()
    image = 0.3 + 0.4 * images(1).double()

    def value(x: Tensor) -> Tensor:
        total: Tensor = (purify(x, seeds=[3]) * torch.linspace(0, 1, 56).double()).sum()
        return total

    variable = image.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(value(variable), variable)
    direction = gradient / gradient.norm()
    step = 1e-6
    with torch.no_grad():
        difference = (value(image + step * direction) - value(image - step * direction)) / (2 * step)
    assert difference.item() == pytest.approx(gradient.norm().item(), rel=1e-3)


def test_a_purifier_composes_with_a_classifier_and_an_optimiser_reaches_the_image() -> None:
    classifier = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(3, 5))
    model = nn.Sequential(load("photo"), classifier)
    variable = images().requires_grad_()
    model(variable).sum().backward()
    assert variable.grad is not None
    assert variable.grad.abs().sum() > 0


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "cold",
            "unknown method 'cold': choose fast, denoiser, perceptual, smoothing, photo, zero-shot, dip, paper, jpeg",
        ),
        ("dip:3", "dip takes no value"),
        ("denoiser:0", "noise of a pass, as a standard deviation on the 8-bit scale, from 1 to 100"),
        ("denoiser:0.05", "from 1 to 100"),
        ("photo:24", "photo takes no value"),
        ("jpeg:500", "quality from 1 to 95"),
        ("median:4", "odd"),
        ("fats", r"unknown method 'fats' \(did you mean fast\?\): choose fast"),
        ("median=5", r"unknown method 'median=5' \(did you mean median:5\?\): choose fast"),
        ("", "unknown method ''"),
    ],
)
def test_unknown_methods_are_refused(text: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        parse_method(text)


@pytest.mark.parametrize("text", ["denoiser:12.345671", "tv:0.001234567", "smooth:0.25098039215686274", "smooth:1e-05"])
def test_a_name_keeps_all_digits_of_the_value(text: str) -> None:
    assert str(parse_defence(text)) == text


def test_names_are_canonical() -> None:
    assert [str(parse_method(text)) for text in ("dip", "denoiser:24.0", "denoiser:12", "jpeg", "jpeg:050", "tv")] == [
        "dip",
        "denoiser:24",
        "denoiser",
        "jpeg:75",
        "jpeg:50",
        "tv",
    ]


def test_only_fits_are_deep_image_priors() -> None:
    assert [name for name in METHODS if parse_method(name).fits] == ["dip", "paper"]


def test_the_package_states_its_version() -> None:
    from importlib.metadata import version

    assert dptools.__version__ == version("deep-protection")


@pytest.mark.parametrize("name", ["denoiser", "dip", "median:3"])
@pytest.mark.parametrize("dtype", [torch.float64, torch.float16])
def test_other_floating_point_types_are_accepted_and_returned(name: str, dtype: torch.dtype) -> None:
    output = make(name)(images(1).to(dtype), seeds=[1])
    assert output.dtype == dtype
    assert (output.float() - make(name)(images(1), seeds=[1])).abs().max() < 0.02


@pytest.mark.parametrize("name", ["denoiser", "dip", "median:3"])
def test_purifiers_work_in_inference_mode(name: str) -> None:
    with torch.inference_mode():
        assert make(name)(images()).shape == (2, 3, 40, 56)


@pytest.mark.parametrize(
    ("wrong", "error", "message"),
    [
        (torch.zeros(1, 3, 8, 8).numpy(), TypeError, "expected a torch.Tensor .* got numpy.ndarray"),
        ([1], TypeError, "got list"),
        (torch.full((1, 3, 8, 8), 200.0), ValueError, "values up to 200; divide by 255"),
        (torch.zeros(3, 8, 8), ValueError, r"images\[None\]"),
        (torch.zeros(1, 8, 8, 3), ValueError, r"images.permute\(0, 3, 1, 2\)"),
    ],
)
def test_likely_mistakes_are_refused_with_advice(wrong: object, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        load("median:3")(wrong)


@pytest.mark.parametrize("seeds", [3, [1.5, 2.5], ["a", "b"]])
def test_seeds_must_be_integers(seeds: object) -> None:
    with pytest.raises(TypeError, match="one integer for each image"):
        load("denoiser")(images(), seeds=seeds)


def test_seeds_may_be_a_tensor() -> None:
    purify = load("denoiser")
    assert torch.equal(purify(images(), seeds=torch.tensor([5, 6])), purify(images(), seeds=[5, 6]))


@pytest.mark.parametrize("name", ["dip", "jpeg:50", "photo"])
def test_straight_through_returns_the_purified_images_and_passes_the_gradient_on(name: str) -> None:
    purify = make(name)
    variable = images().requires_grad_()
    output = StraightThrough(purify)(variable, seeds=[1, 2])
    assert torch.equal(output, purify(images(), seeds=[1, 2]))
    weights = torch.rand(output.shape)
    (output * weights).sum().backward()
    assert variable.grad is not None
    assert torch.equal(variable.grad, weights)


def test_the_stopping_criterion_of_a_fit_can_be_given_alone() -> None:
    prior = DeepImagePrior(stop=Fixed(2))
    assert prior.restore(images(1)).iterations == 2
    assert prior.settings == FitSettings(stop=Fixed(2))


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({"stop": "held-out"}, TypeError, r"stopping criterion such as HeldOut\(\) or Fixed\(500\), got 'held-out'"),
        ({"stop": Fixed}, TypeError, "stopping criterion"),
        ({"max_iterations": 0}, ValueError, "1 or more, got 0"),
        ({"learning_rate": -1.0}, ValueError, "above 0, got -1"),
        ({"ema_decay": 1.0}, ValueError, "0 <= ema_decay < 1, got 1"),
        ({"network": "warm"}, UsageError, "unknown network 'warm': choose small"),
    ],
)
def test_impossible_settings_of_a_fit_are_refused(
    settings: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        FitSettings(**settings)
