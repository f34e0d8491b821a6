"""Filters: each takes off the noise that it is made for, and leaves the shape and the range alone."""

import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image
from skimage.restoration import estimate_sigma

from dptools.errors import UsageError
from dptools.purifiers.filters import PARAMETERS, Filter, apply, parse_filter
from dptools.purifiers.filters.filtering import _noise

Pixels = NDArray[np.uint8]


@pytest.fixture(scope="module")
def clean() -> Pixels:
    """A smooth picture with edges."""
    rows, columns = np.mgrid[0:64, 0:64]
    planes = [90 + rows, 200 - columns, np.where(rows + columns > 64, 180, 60)]
    return np.stack(planes, axis=-1).astype(np.uint8)


def psnr(a: Pixels, b: Pixels) -> float:
    return float(-10 * np.log10(np.mean((a / 255.0 - b / 255.0) ** 2)))


@pytest.mark.parametrize("text", ["bilateral", "tv", "nlm", "median:3", "jpeg:30", "tv:0.1", "nlm:0.06"])
def test_gaussian_noise_is_taken_off(text: str, clean: Pixels) -> None:
    noise = np.random.default_rng(0).normal(0, 15, clean.shape)
    noisy = np.clip(clean + noise, 0, 255).round().astype(np.uint8)
    assert psnr(apply(parse_filter(text), noisy), clean) > psnr(noisy, clean) + 2


def test_the_median_takes_salt_and_pepper_off(clean: Pixels) -> None:
    noisy = clean.copy()
    noisy[np.random.default_rng(0).random(clean.shape[:2]) < 0.1] = 255
    assert psnr(apply(Filter("median", 3), noisy), clean) > psnr(noisy, clean) + 8


def test_jpeg_is_what_saving_and_reading_gives(clean: Pixels) -> None:
    buffer = io.BytesIO()
    Image.fromarray(clean).save(buffer, "JPEG", quality=50)
    assert np.array_equal(apply(Filter("jpeg", 50), clean), np.asarray(Image.open(buffer)))


def test_bits_leave_so_many_levels(clean: Pixels) -> None:
    assert set(np.unique(apply(Filter("bits", 1), clean))) <= {0, 255}
    assert len(np.unique(apply(Filter("bits", 3), clean))) <= 8


@settings(max_examples=25)
@given(st.sampled_from(sorted(PARAMETERS)), st.integers(1, 9), st.integers(1, 9), st.integers(0, 255))
def test_any_image_keeps_its_shape(name: str, height: int, width: int, level: int) -> None:
    pixels = np.full((height, width, 3), level, np.uint8)
    pixels[0, 0] = 255 - level
    filtered = apply(parse_filter(name), pixels)
    assert (filtered.shape, filtered.dtype) == (pixels.shape, np.uint8)


@pytest.mark.parametrize("name", ["bilateral", "tv", "nlm"])
@pytest.mark.parametrize("colour", [(0, 0, 0), (255, 0, 0), (126, 160, 178)])
def test_a_flat_image_stays_as_it_is_without_a_warning(name: str, colour: tuple[int, ...]) -> None:
    pixels = np.full((16, 16, 3), colour, np.uint8)
    assert np.array_equal(apply(parse_filter(name), pixels), pixels)


@pytest.mark.parametrize("name", ["bilateral", "tv", "nlm"])
def test_a_black_channel_does_not_hide_the_noise_of_the_others(name: str, clean: Pixels) -> None:
    clean = clean * np.array([1, 1, 0], np.uint8)
    noise = np.random.default_rng(0).normal(0, 15, clean.shape) * [1, 1, 0]
    noisy = np.clip(clean + noise, 0, 255).round().astype(np.uint8)
    assert psnr(apply(parse_filter(name), noisy), clean) > psnr(noisy, clean) + 2


@pytest.mark.parametrize("height", [2, 3, 4])
def test_noise_is_estimated_in_a_narrow_image_too(height: int) -> None:
    noisy = np.random.default_rng(0).normal(128, 15, (height, 500, 3)).round().astype(np.uint8)
    assert _noise(noisy / 255) == pytest.approx(15 / 255, rel=0.5)


def test_noise_is_estimated_as_scikit_image_does(clean: Pixels) -> None:
    noisy = np.clip(clean + np.random.default_rng(0).normal(0, 9, clean.shape), 0, 255).round() / 255
    assert _noise(noisy) == pytest.approx(estimate_sigma(noisy, channel_axis=-1, average_sigmas=True), rel=1e-12)


def test_a_filter_is_written_as_it_is_read() -> None:
    for text in ("jpeg:50", "median:5", "tv", "tv:0.05", "bits:3"):
        assert str(parse_filter(text)) == text
    assert parse_filter("jpeg") == Filter("jpeg", 75)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("blur", "unknown filter 'blur': choose jpeg, median, bilateral, tv, nlm, bits"),
        ("jpeg:0", "method jpeg:0: give quality from 1 to 95"),
        ("jpeg:", "method jpeg:: give quality from 1 to 95"),
        ("jpeg:5.5", "method jpeg:5.5: give quality from 1 to 95"),
        ("median:4", "method median:4: give side of the square, odd from 3 to 31"),
        ("tv:-1", "method tv:-1: give weight from 0.0001 to 10"),
        ("bits:8", "method bits:8: give bits per channel from 1 to 7"),
    ],
)
def test_what_cannot_be_is_refused_with_what_can(text: str, message: str) -> None:
    with pytest.raises(UsageError) as error:
        parse_filter(text)
    assert str(error.value) == message
