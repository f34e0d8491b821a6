"""Randomised smoothing: exact radii, coverage, early ends, seeds."""

from collections.abc import Sequence

import numpy as np
import pytest
import torch
from scipy.stats import binom, binomtest, norm
from torch import Tensor

from dptools.attacks import DefendedModel, find, perturb
from dptools.certify import NoisyPurifier, Smoothed
from dptools.certify.bounds import alpha_of_look, clopper_pearson_lower, is_clear, is_futile, looks, radius

IMAGE = torch.full((3, 4, 4), 0.5)


class Linear:
    """Two classes, separated by a hyperplane at a known distance from IMAGE."""

    def __init__(self, distance: float) -> None:
        self.distance = distance
        generator = torch.Generator().manual_seed(0)
        weights = torch.randn(IMAGE.shape, generator=generator)
        self.weights = weights / weights.norm()

    def __call__(self, images: Tensor) -> Tensor:
        signed = ((images - IMAGE) * self.weights).sum((1, 2, 3)) + self.distance
        return torch.stack([signed, -signed], dim=1)


@pytest.mark.parametrize("sigma", [0.12, 0.25, 1.0])
@pytest.mark.parametrize("share", [0.3, 1.0, 1.5, 2.0])
def test_the_radius_of_a_linear_classifier_is_nearly_its_distance_and_never_more(sigma: float, share: float) -> None:
    """The smoothed linear classifier has the same hyperplane, so its exact radius is the distance to it."""
    distance = share * sigma
    certificate = Smoothed(Linear(distance), sigma=sigma).certify(IMAGE, draws=10_000, seed=3)
    assert certificate.label == 0
    assert certificate.radius <= distance
    if 1 <= share <= 2:
        assert certificate.radius >= 0.9 * distance


def test_bounds_agree_with_other_implementations() -> None:
    for count, draws, alpha in ((0, 10, 0.1), (7, 10, 0.05), (970, 1000, 0.001), (1000, 1000, 0.001)):
        interval = binomtest(count, draws).proportion_ci(1 - 2 * alpha, method="exact")  # as in the reference code
        assert clopper_pearson_lower(count, draws, alpha) == pytest.approx(interval.low, abs=1e-9)
    # 100,000 equal votes, alpha 0.001: radius 3.8 sigma, as arXiv 1902.02918 states.
    assert radius(clopper_pearson_lower(100_000, 100_000, 0.001), 0.5) == pytest.approx(0.5 * 3.811, abs=5e-3)
    assert radius(0.5, 0.5) == radius(0.2, 0.5) == 0
    assert is_clear([70, 30], 0.001)
    assert not is_clear([60, 40], 0.001)
    assert not is_clear([0, 0], 0.001)


def false_certificates(p: float, until: float | None, draws: int, images: int, alpha: float) -> int:
    """Return how many of many images get a radius above the true one, simulated with counts instead of images."""
    random, true_radius, wrong = np.random.default_rng(1), norm.ppf(p), 0
    ends = looks(draws, until is not None)
    for _ in range(images):
        count, done, bound = 0, 0, 0.0
        for number, end in enumerate(ends):
            count, done = count + random.binomial(end - done, p), end
            bound = clopper_pearson_lower(int(count), done, alpha_of_look(number, len(ends), alpha))
            if until is not None and radius(bound, 1.0) >= until:
                break
        wrong += radius(bound, 1.0) > max(true_radius, 0)
    return wrong


@pytest.mark.parametrize("until", [None, 0.4, 0.7])
@pytest.mark.parametrize("p", [0.5, 0.6, 0.75, 0.9])
def test_at_most_alpha_of_the_certificates_are_wrong(p: float, until: float | None) -> None:
    images, alpha = 10_000, 0.05
    wrong = false_certificates(p, until, 500, images, alpha)
    assert binom.sf(wrong - 1, images, alpha) > 1e-4  # no evidence for a rate above alpha


def test_the_shares_of_alpha_sum_to_alpha() -> None:
    assert sum(alpha_of_look(number, 4, 0.001) for number in range(4)) == pytest.approx(0.001)
    assert (looks(1000, early=True), looks(1000, early=False), looks(1, early=True)) == (
        [125, 250, 500, 1000],
        [1000],
        [1],
    )


def test_certification_ends_early_if_it_is_out_of_reach_or_if_the_radius_suffices() -> None:
    def ambiguous(images: Tensor) -> Tensor:
        """Return one of five classes, by a hash of the noise."""
        return torch.nn.functional.one_hot((images.sum((1, 2, 3)) * 1000).long() % 5, 5).float()

    hopeless = Smoothed(ambiguous, sigma=0.25).certify(IMAGE, draws=1000)
    assert hopeless.abstained
    assert hopeless.radius == 0
    assert hopeless.draws < 200
    smoothed = Smoothed(Linear(1.0), sigma=0.25)
    enough = smoothed.certify(IMAGE, draws=1000, until=0.25)
    assert (enough.draws, enough.radius >= 0.25) == (125, True)
    assert smoothed.certify(IMAGE, draws=1000).radius > enough.radius
    assert is_futile(10, 100)
    assert not is_futile(50, 100)
    assert not is_futile(0, 0)


def test_results_follow_from_the_seed() -> None:
    smoothed = Smoothed(Linear(0.1), sigma=0.25)
    first, same, other = (smoothed.certify(IMAGE, draws=200, seed=seed) for seed in (1, 1, 2))
    assert first == same
    assert first.count != other.count
    state = torch.get_rng_state()
    smoothed.predict(IMAGE, draws=10)
    assert torch.equal(torch.get_rng_state(), state)


def test_noise_is_not_clipped_and_purifiers_get_new_seeds_for_each_draw() -> None:
    seen: list[Tensor] = []
    used: list[int] = []

    class Recorder:
        random = True

        def __call__(self, images: Tensor, *, seeds: Sequence[int]) -> Tensor:
            seen.append(images)
            used.extend(seeds)
            return images

    Smoothed(Linear(0.5), Recorder(), sigma=0.5).certify(IMAGE, draws=300, seed=5)
    values = torch.cat(seen)
    assert values.min() < 0
    assert values.max() > 1
    assert (values - 0.5).std() == pytest.approx(0.5, rel=0.05)
    assert len(set(used)) == len(used) == 330
    own_noise = torch.randn(IMAGE[None].shape, generator=torch.Generator().manual_seed(used[0]))
    assert not torch.allclose(seen[0] - IMAGE, 0.5 * own_noise), "the purifier's noise repeats the smoothing noise"


def test_prediction_by_vote_abstains_if_the_lead_is_not_significant() -> None:
    clear = Smoothed(Linear(0.5), sigma=0.25).predict(IMAGE, draws=200)
    assert (clear.label, clear.draws) == (0, 200)
    unclear = Smoothed(Linear(0.0), sigma=0.25).predict(IMAGE, draws=200)
    assert unclear.label is None
    assert sum(unclear.counts.values()) == 200


@pytest.mark.parametrize(
    ("image", "options", "message"),
    [
        (torch.zeros(2, 3, 4, 4), {}, r"expected one image, 3 x H x W, got \(2, 3, 4, 4\)"),
        (torch.zeros(3, 4, 4, dtype=torch.uint8), {}, "got torch.uint8"),
        (IMAGE, {"draws": 0}, "draws: expected 1 or more, got 0"),
        (IMAGE, {"alpha": 1.0}, "alpha: expected a probability"),
    ],
)
def test_wrong_arguments_are_rejected(image: Tensor, options: dict[str, float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Smoothed(Linear(1.0), sigma=0.25).certify(image, **options)  # type: ignore[arg-type]


@pytest.mark.parametrize(("sigma", "message"), [(0, r"scale, got 0$"), (64, "got 64; .* give 64 / 255"), (300, "300$")])
def test_noise_on_the_8_bit_scale_is_rejected(sigma: float, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Smoothed(Linear(1.0), sigma=sigma)


def test_an_image_that_is_no_tensor_is_rejected() -> None:
    with pytest.raises(TypeError, match=r"got numpy\.ndarray"):
        Smoothed(Linear(1.0), sigma=0.25).certify(IMAGE.numpy())  # type: ignore[arg-type]


def test_noise_and_denoising_as_a_purifier_have_a_gradient() -> None:
    purify = NoisyPurifier(0.5)
    images = torch.full((2, 3, 64, 64), 0.5, requires_grad=True)
    noisy = purify(images, seeds=[1, 2])
    assert (noisy - images).std().item() == pytest.approx(0.5, rel=0.05)
    assert not torch.equal(noisy[0], noisy[1])
    noisy.sum().backward()  # type: ignore[no-untyped-call]
    assert images.grad is not None
    assert purify.differentiable
    assert purify.random


def test_no_attack_within_the_radius_changes_a_certified_prediction() -> None:
    generator = torch.Generator().manual_seed(1)
    first, second = torch.randn(16, 3, 5, 5, generator=generator) / 5, torch.randn(7, 16, generator=generator)

    def network(images: Tensor) -> Tensor:
        return torch.nn.functional.conv2d(images - 0.5, first, stride=2).relu().mean((2, 3)) @ second.T * 20

    image = (torch.rand(3, 32, 32, generator=generator) * 255).round() / 255
    smoothed = Smoothed(network, sigma=0.1)
    certificate = smoothed.certify(image, draws=4000)
    assert certificate.label is not None
    model = torch.nn.Module()
    model.forward = network  # type: ignore[method-assign]
    defended = DefendedModel(model.eval(), NoisyPurifier(0.1), eot_samples=20, judges=200, seed=0)
    attack = find("apgd-ce").configure(norm="l2", epsilon=certificate.radius, steps=20)
    (result,) = perturb(attack, defended, image[None], [certificate.label], repair=False)
    assert result.norms["l2"] > 0.7 * certificate.radius  # rounding to 8 bits shortens it
    assert not result.success
    assert smoothed.predict(result.image, draws=1000).label == certificate.label
    # The attack works: it changes the prediction with a larger perturbation.
    (far,) = perturb(attack.configure(epsilon=20 * certificate.radius), defended, image[None], [certificate.label])
    assert far.success
