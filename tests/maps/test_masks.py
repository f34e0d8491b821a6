"""Tests of the mask methods."""

import numpy as np
import pytest
from PIL import Image, ImageDraw

from dptools.errors import UsageError
from dptools.maps import MASK_METHODS, text_mask
from dptools.maps.masks import METHODS


def test_each_method_name_is_implemented() -> None:
    assert tuple(METHODS) == MASK_METHODS


def test_an_unknown_method_or_a_missing_prior_is_an_error() -> None:
    pixels = np.full((10, 12, 3), 230, np.uint8)
    with pytest.raises(UsageError, match="unknown mask method 'ink': choose letters, paper"):
        text_mask(pixels, "ink")
    with pytest.raises(ValueError, match="'paper' needs the output of a deep image prior"):
        text_mask(pixels, "paper")


def test_dark_text_missing_from_the_prior_is_in_the_mask() -> None:
    pixels = np.full((10, 12, 3), 230, np.uint8)
    pixels[4:6, 3:9] = 25
    mask = text_mask(pixels, "paper", np.full((10, 12, 3), 0.85, np.float32))
    assert np.array_equal(mask, pixels[..., 0] < 128)


def test_a_pixel_must_exceed_the_threshold_in_all_channels() -> None:
    pixels = np.full((4, 4, 3), 230, np.uint8)
    pixels[1, 1] = [25, 25, 230]
    assert not text_mask(pixels, "paper", np.full((4, 4, 3), 0.9, np.float32)).any()


@pytest.mark.parametrize("method", MASK_METHODS)
@pytest.mark.parametrize("size", [(1, 1), (1, 300), (7, 5), (200, 130)])
def test_the_mask_of_a_blank_map_is_empty(method: str, size: tuple[int, int]) -> None:
    blank = np.full((*size, 3), 180, np.uint8)
    mask = text_mask(blank, method, blank / np.float32(255))
    assert mask.shape == size
    assert not mask.any()


@pytest.fixture
def street() -> Image.Image:
    """A word, a long line that touches its last letter, and a broad road."""
    image = Image.new("RGB", (420, 240), (235, 230, 215))
    draw = ImageDraw.Draw(image)
    draw.text((120, 60), "HARBOUR", fill=(20, 20, 20), font_size=36)
    draw.line([(287, 0), (292, 240)], fill=(20, 20, 20), width=2)
    draw.line([(0, 190), (420, 200)], fill=(20, 20, 20), width=30)
    return image


def test_the_letters_method_removes_lines_and_roads(street: Image.Image) -> None:
    mask = text_mask(np.asarray(street), "letters")
    word_only = Image.new("RGB", street.size, (235, 230, 215))
    ImageDraw.Draw(word_only).text((120, 60), "HARBOUR", fill=(20, 20, 20), font_size=36)
    word = np.asarray(word_only)[..., 0] < 100
    assert mask[word].mean() > 0.7
    assert mask[~word].mean() < 0.02
    assert text_mask(np.asarray(street), "otsu")[~word].mean() > 0.1
