"""How suspect an image is: doubts between 0 and 1, and the share of clean images that are doubted less."""

import itertools

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from dptools.detection import doubt, suspicion
from dptools.detection.scores import CLEAN, LEVELS

DETECTORS = sorted(CLEAN)
PROBABILITIES = st.lists(st.floats(0.01, 1), min_size=4, max_size=4).map(lambda raw: torch.tensor(raw) / sum(raw))


def test_a_class_that_all_see_again_is_not_doubted_and_one_that_is_gone_is() -> None:
    seen = torch.tensor([0.6, 0.4, 0.0])
    same, other, torn = torch.tensor([1.0, 0, 0]), torch.tensor([0, 1.0, 0]), torch.tensor([0.5, 0.5, 0])
    assert doubt(seen, [same, same]) == 0
    assert doubt(seen, [other, other]) == 1
    assert doubt(seen, [torn]) == doubt(seen, [same, other]) == 0.5


@given(PROBABILITIES, st.lists(PROBABILITIES, min_size=1, max_size=5))
def test_doubts_lie_between_0_and_1_and_do_not_hang_on_the_order(seen: torch.Tensor, looks: list[torch.Tensor]) -> None:
    found = doubt(seen, looks)
    assert 0 <= found <= 1
    assert doubt(seen, looks[::-1]) == pytest.approx(found, abs=1e-6)


@pytest.mark.parametrize("detector", DETECTORS)
@given(doubts=st.lists(st.floats(0, 1), min_size=2, max_size=20))
def test_suspicion_grows_with_doubt_from_0_to_1(detector: str, doubts: list[float]) -> None:
    found = [suspicion(detector, each) for each in sorted(doubts)]
    assert all(0 <= low <= high <= 1 for low, high in itertools.pairwise(found))
    assert (suspicion(detector, 0), suspicion(detector, 1)) == (0, 1)


@pytest.mark.parametrize("detector", DETECTORS)
def test_the_measured_shares_are_met(detector: str) -> None:
    assert len(CLEAN[detector]) == len(LEVELS)
    assert list(CLEAN[detector]) == sorted(set(CLEAN[detector]))
    for level, each in zip(LEVELS, CLEAN[detector], strict=True):
        assert suspicion(detector, each) == pytest.approx(level)
