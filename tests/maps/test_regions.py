"""Tests of text regions, of their chains and of the lines through them."""

import os

import numpy as np
import pytest
from PIL import Image, ImageDraw

from dptools.maps.candidates import candidate_lines
from dptools.maps.chains import chain_regions, spread_letters
from dptools.maps.detector import TILE, Probability, TextDetector, load_detector
from dptools.maps.images import Floats
from dptools.maps.letters import Letters
from dptools.maps.regions import Region, find_regions
from dptools.maps.textline import region_lines

NO_LETTERS = Letters(*np.zeros((4, 0)))


def bar(probability: Probability, x: float, y: float, length: float, angle: float = 0, thickness: float = 8) -> None:
    """Add a bar of text, as the detector reports it."""
    rows, columns = np.mgrid[: probability.shape[0], : probability.shape[1]]
    cos, sin = np.cos(np.radians(angle)), np.sin(np.radians(angle))
    along, across = (columns - x) * cos - (rows - y) * sin, (columns - x) * sin + (rows - y) * cos
    probability[(abs(along) <= length / 2) & (abs(across) <= thickness / 2)] = 0.9


@pytest.fixture
def probability() -> Probability:
    return np.zeros((400, 400), np.float32)


def line_ends(regions: list[Region]) -> Floats:
    (line,) = region_lines(regions)
    return line.ends


@pytest.mark.parametrize("angle", [0, 30, -60])
def test_a_region_gives_a_line_along_the_text_at_any_angle(angle: float, probability: Probability) -> None:
    bar(probability, 200, 200, 100, angle)
    (region,) = find_regions(probability, scale=2)
    (line,) = region_lines([region])
    assert np.degrees(line.angle) == pytest.approx(-angle, abs=2)
    assert line.ends.mean(0) == pytest.approx([400, 400], abs=3)
    assert 180 < np.hypot(*(line.ends[1] - line.ends[0])) < 220
    assert 25 < line.height < 45


def test_faint_and_tiny_regions_are_left_out(probability: Probability) -> None:
    bar(probability, 100, 100, 2, thickness=2)
    probability[300:310, 100:200] = 0.4
    assert find_regions(probability, 1) == []


def test_words_on_one_line_are_chained_and_others_are_not(probability: Probability) -> None:
    for x, y, angle in ((100, 100, 0), (170, 100, 0), (100, 250, 0), (170, 290, 60)):
        bar(probability, x, y, 50, angle)
    regions = find_regions(probability, 1)
    (group,) = chain_regions(regions)
    assert sorted(tuple(regions[index].centre.round()) for index in group) == [(100, 100), (170, 100)]


def test_single_letters_are_chained_if_their_distances_are_even(probability: Probability) -> None:
    for x in (60, 100, 140, 180):
        bar(probability, x, 100, 8)
    for x, y in ((60, 300), (98, 320), (60, 355)):
        bar(probability, x, y, 8)
    regions = find_regions(probability, 1)
    groups = [sorted(tuple(regions[index].centre.round()) for index in group) for group in chain_regions(regions)]
    assert [(60, 100), (100, 100), (140, 100), (180, 100)] in groups
    assert not any(len(group) == 3 for group in groups)


def test_letters_spread_over_the_map_are_one_line_with_a_place_for_each_letter(probability: Probability) -> None:
    for x in (50, 130, 210, 290):
        bar(probability, x, 100 + x / 10, 12, thickness=12)
    bar(probability, 370, 300, 12, thickness=12)
    regions = find_regions(probability, 1)
    (group,) = spread_letters(regions)
    (line,) = region_lines([regions[index] for index in group], spread=True)
    assert len(line.letters) == 4
    assert line.ends == pytest.approx(np.array([[50, 105], [290, 129]]), abs=1)


def test_each_line_is_a_candidate_once_and_letters_away_from_text_are_ignored(probability: Probability) -> None:
    bar(probability, 100, 100, 100)
    x = np.array([120.0, 160, 200, 240, 280, 120, 160, 200])
    y = np.array([200.0, 200, 200, 200, 200, 600, 600, 600])
    letters = Letters(x, y, np.full(8, 36.0), np.full(8, 36.0))
    assert len(candidate_lines(letters, probability, 2)) == 2
    assert len(candidate_lines(NO_LETTERS, probability, 2)) == 1
    assert candidate_lines(NO_LETTERS, np.zeros((9, 9), np.float32), 2) == []


def test_the_detector_loads_where_the_system_does_not_limit_the_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    """MacOS has no sched_getaffinity."""
    monkeypatch.delattr(os, "sched_getaffinity")
    assert TextDetector().probability(np.full((40, 40), 255, np.uint8)).max() < 0.3


def test_the_detector_finds_text_across_tiles() -> None:
    image = Image.new("L", (TILE + 200, 90), 235)
    ImageDraw.Draw(image).text((TILE - 120, 30), "WESTERN RAILWAY", fill=20, font_size=24)
    probability = load_detector().probability(np.asarray(image))
    assert probability.shape == (90, TILE + 200)
    (region,) = find_regions(probability, 1)
    assert region.points[:, 0].min() < TILE - 90
    assert region.points[:, 0].max() > TILE + 40
