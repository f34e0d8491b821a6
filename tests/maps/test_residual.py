"""The paper's rule for text on maps."""

import numpy as np

from dptools.maps import text_mask


def test_dark_text_that_the_prior_lacks_is_white_in_the_mask() -> None:
    image = np.full((10, 12, 3), 0.9, np.float32)
    image[4:6, 3:9] = 0.1
    prior = np.full_like(image, 0.85)
    mask = text_mask(image, prior)
    assert mask.dtype == np.uint8
    assert set(np.unique(mask)) == {0, 255}
    assert np.array_equal(mask == 255, image[..., 0] < 0.5)


def test_all_three_channels_must_stand_out() -> None:
    image = np.full((4, 4, 3), 0.9, np.float32)
    image[1, 1] = [0.1, 0.1, 0.9]
    assert not text_mask(image, np.full_like(image, 0.9)).any()


def test_nothing_stands_out_of_a_blank_map() -> None:
    blank = np.full((4, 4, 3), 0.7, np.float32)
    assert not text_mask(blank, blank).any()
