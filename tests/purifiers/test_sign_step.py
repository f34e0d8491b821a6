"""Sign steps remove a dense perturbation, and leave texture and independent noise alone."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, pad

from dptools.purifiers.sign_settings import NO_SIGN_STEPS, SIGN_STEPS, SignSteps
from dptools.purifiers.sign_step import noise_levels, sign_correlation, sign_step, sign_steps

Denoise = Callable[[Tensor, list[int], bool], Tensor]

FLAT = torch.full((1, 3, 64, 64), 0.5)


def noise(seed: int) -> Tensor:
    return torch.randn(FLAT.shape, generator=torch.Generator().manual_seed(seed))


def attacked(epsilon: float, seed: int = 0) -> Tensor:
    """Return a grey image, each value changed by plus or minus epsilon / 255; neighbours mostly in the same way."""
    correlated = avg_pool2d(pad(noise(seed), (1, 0, 1, 0), mode="replicate"), 2, stride=1)
    return FLAT + epsilon / 255 * correlated.sign()


def blur(images: Tensor, *_: object) -> Tensor:
    """Return blurred images: a denoiser that removes most of a perturbation, but not all of it."""
    return avg_pool2d(pad(images, (4, 4, 4, 4), mode="replicate"), 9, stride=1)


def steps_of(
    images: Tensor, settings: SignSteps = SIGN_STEPS, denoise: Denoise = blur
) -> list[tuple[Tensor | None, int]]:
    """Return what sign steps make of images that are blurred first."""
    first = blur(images)
    return sign_steps(images, first, noise_levels(images - first).flatten().tolist(), settings, denoise)


def test_a_step_removes_a_perturbation_whose_sign_is_known() -> None:
    assert (sign_step(attacked(8), FLAT) - FLAT).abs().max() < 0.5 * 8 / 255


def test_a_dense_perturbation_gets_all_steps() -> None:
    image = attacked(8)
    ((output, times),) = steps_of(image)
    assert output is not None
    assert times == SIGN_STEPS.steps
    assert (output - FLAT).square().mean() < 0.5 * (blur(image) - FLAT).square().mean()


@pytest.mark.parametrize(
    "image", [FLAT, attacked(2), attacked(60), FLAT + 8 / 255 * noise(1)], ids=["clean", "weak", "strong", "noise"]
)
def test_other_images_stay_as_the_first_pass_left_them(image: Tensor) -> None:
    assert steps_of(image) == [(None, 0)]


def test_texture_ends_the_steps() -> None:
    """A step amplifies texture, so that the pass after it removes more: here, twice as much."""
    image = attacked(8)
    assert steps_of(image, denoise=lambda *_: image - 2 * (image - blur(image))) == [(None, 1)]


def test_no_step_is_taken_where_none_is_asked_for() -> None:
    image = attacked(8)
    assert steps_of(image, NO_SIGN_STEPS) == [(None, 0)]


def test_a_batch_gives_what_its_images_give_alone() -> None:
    images = torch.cat([FLAT, attacked(8), FLAT + 8 / 255 * noise(1), attacked(12, seed=2)])
    asked = []

    def denoise(some: Tensor, indices: list[int], last: bool) -> Tensor:
        asked.append((indices, last))
        return blur(some)

    together = steps_of(images, denoise=denoise)
    assert asked == [([1, 3], False), ([1, 3], False), ([1, 3], True)]
    for index, image in enumerate(images):
        ((alone, times),) = steps_of(image[None])
        output = together[index][0]
        assert together[index][1] == times
        assert (alone is None and output is None) or torch.equal(alone, output)  # type: ignore[arg-type]


def test_neighbours_correlate_only_in_a_perturbation_with_structure() -> None:
    assert abs(sign_correlation(noise(1))) < 0.03
    assert sign_correlation(attacked(8) - FLAT) > 0.2
