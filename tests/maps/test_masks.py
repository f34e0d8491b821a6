"""Masks of text, by each rule."""

import numpy as np
import pytest
from PIL import Image, ImageDraw

from dptools.maps import RULES, text_mask
from dptools.maps.masks import MASKS


def test_names_are_those_of_the_rules() -> None:
    assert tuple(MASKS) == RULES


def test_dark_text_that_the_prior_lacks_is_white_in_the_mask() -> None:
    pixels = np.full((10, 12, 3), 230, np.uint8)
    pixels[4:6, 3:9] = 25
    mask = text_mask(pixels, "paper", np.full((10, 12, 3), 0.85, np.float32))
    assert np.array_equal(mask, pixels[..., 0] < 128)


def test_all_three_channels_must_stand_out() -> None:
    pixels = np.full((4, 4, 3), 230, np.uint8)
    pixels[1, 1] = [25, 25, 230]
    assert not text_mask(pixels, "paper", np.full((4, 4, 3), 0.9, np.float32)).any()


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("size", [(1, 1), (1, 300), (7, 5), (200, 130)])
def test_nothing_stands_out_of_a_blank_map(rule: str, size: tuple[int, int]) -> None:
    blank = np.full((*size, 3), 180, np.uint8)
    mask = text_mask(blank, rule, blank / np.float32(255))
    assert mask.shape == size
    assert not mask.any()


@pytest.fixture
def street() -> Image.Image:
    """A word whose last letter a long line touches, and a broad road."""
    image = Image.new("RGB", (420, 240), (235, 230, 215))
    draw = ImageDraw.Draw(image)
    draw.text((120, 60), "HARBOUR", fill=(20, 20, 20), font_size=36)
    draw.line([(287, 0), (292, 240)], fill=(20, 20, 20), width=2)
    draw.line([(0, 190), (420, 200)], fill=(20, 20, 20), width=30)
    return image


def test_letters_are_kept_and_lines_and_roads_are_not(street: Image.Image) -> None:
    mask = text_mask(np.asarray(street), "letters")
    bare = Image.new("RGB", street.size, (235, 230, 215))
    ImageDraw.Draw(bare).text((120, 60), "HARBOUR", fill=(20, 20, 20), font_size=36)
    word = np.asarray(bare)[..., 0] < 100
    assert mask[word].mean() > 0.7
    assert mask[~word].mean() < 0.02
    assert text_mask(np.asarray(street), "otsu")[~word].mean() > 0.1
