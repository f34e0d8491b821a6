"""Disagreement scores and their calibration."""

import itertools
import json
from random import Random

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from dptools.detection import calibrated_score, disagreement_score
from dptools.detection.calibration import measure
from dptools.detection.quantiles import CLEAN_QUANTILES, QUANTILE_LEVELS

DETECTORS = sorted(CLEAN_QUANTILES)
PROBABILITIES = st.lists(st.floats(0.01, 1), min_size=4, max_size=4).map(lambda raw: torch.tensor(raw) / sum(raw))


def test_score_is_0_for_agreement_1_for_another_class_and_half_for_a_tie() -> None:
    prediction = torch.tensor([0.6, 0.4, 0.0])
    same, other, tied = torch.tensor([1.0, 0, 0]), torch.tensor([0, 1.0, 0]), torch.tensor([0.5, 0.5, 0])
    assert disagreement_score(prediction, [same, same]) == 0
    assert disagreement_score(prediction, [other, other]) == 1
    assert disagreement_score(prediction, [tied]) == disagreement_score(prediction, [same, other]) == 0.5


@given(PROBABILITIES, st.lists(PROBABILITIES, min_size=1, max_size=5))
def test_score_is_in_the_unit_interval_for_any_order_of_views(
    prediction: torch.Tensor, views: list[torch.Tensor]
) -> None:
    score = disagreement_score(prediction, views)
    assert 0 <= score <= 1
    assert disagreement_score(prediction, views[::-1]) == pytest.approx(score, abs=1e-6)


@pytest.mark.parametrize("detector", DETECTORS)
@given(scores=st.lists(st.floats(0, 1), min_size=2, max_size=20))
def test_calibration_is_monotonic_from_0_to_1(detector: str, scores: list[float]) -> None:
    calibrated = [calibrated_score(detector, score) for score in sorted(scores)]
    assert all(0 <= low <= high <= 1 for low, high in itertools.pairwise(calibrated))
    assert (calibrated_score(detector, 0), calibrated_score(detector, 1)) == (0, 1)


@pytest.mark.parametrize("detector", DETECTORS)
def test_calibration_reproduces_the_measured_quantiles(detector: str) -> None:
    quantiles = CLEAN_QUANTILES[detector]
    assert len(quantiles) == len(QUANTILE_LEVELS)
    assert list(quantiles) == sorted(set(quantiles))
    for level, quantile in zip(QUANTILE_LEVELS, quantiles, strict=True):
        assert calibrated_score(detector, quantile) == pytest.approx(level)


@pytest.mark.parametrize("detector", DETECTORS)
def test_invalid_network_output_is_most_suspicious(detector: str) -> None:
    assert calibrated_score(detector, float("nan")) == 1


@pytest.mark.parametrize("images", [20, 50, 200])
def test_a_calibration_on_few_images_has_the_promised_share_of_false_alarms(images: int) -> None:
    random, alarms = Random(1), []
    for _ in range(300):
        quantiles = json.loads(measure([random.random() ** 3 for _ in range(images)], {}, {}))["quantiles"]
        alarms += [calibrated_score("both", random.random() ** 3, quantiles) >= 0.95 for _ in range(50)]
    assert sum(alarms) / len(alarms) == pytest.approx(0.05, abs=0.009)
