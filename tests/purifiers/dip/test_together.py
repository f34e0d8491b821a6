"""Images restored side by side, as on a GPU: each as if it were alone, and each for as long as its own rule says."""

import copy
import math
from dataclasses import dataclass, replace

import pytest
import torch
from torch import Tensor

from dptools.errors import SampleError
from dptools.purifiers.dip import PRESETS, Preset, Restored, Step, Wanted, restore, restore_all
from dptools.purifiers.dip.losses import LOSSES
from dptools.purifiers.dip.networks import make_network
from dptools.purifiers.dip.reconstruction import Reconstruction, Settings
from dptools.purifiers.dip.stopping import Fixed, HeldOut, StopDecision, Watcher
from dptools.purifiers.dip.together import Together, optimizer_of


def images(count: int = 3, height: int = 64, width: int = 96) -> Tensor:
    """Soft waves and noise, count x 3 x height x width, all different."""
    draws = torch.rand(count, 3, height, width, generator=torch.Generator().manual_seed(0))
    waves = torch.linspace(0, 6, width).sin() * torch.linspace(0, 4, height).cos()[:, None]
    strengths = torch.linspace(0.1, 0.4, count)[:, None, None, None]
    return 0.5 + strengths * waves + 0.1 * (draws - 0.5)


def alike(one: Tensor, other: Tensor) -> bool:
    """Adam makes whole steps of gradients that are zero but for rounding, so fits in two orders of sums drift apart."""
    return (one - other).abs().mean().item() < 0.004


def together(wanted: list[Wanted], at_once: int) -> list[Restored]:
    return [done for done in restore_all(wanted, at_once) if isinstance(done, Restored)]


@pytest.mark.parametrize("name", ["small", "paper", "decoder"])
def test_outputs_and_gradients_are_those_of_each_alone(name: str) -> None:
    members = [make_network(name).double() for _ in range(3)]
    codes = torch.cat([members[0].code(image[None], torch.Generator()) for image in images()]).double()
    both = Together(members)
    outputs = both(codes)
    outputs.square().sum().backward()  # type: ignore[no-untyped-call]
    for row, member in enumerate(members):
        alone = member(codes[row : row + 1])
        assert torch.allclose(outputs[row], alone[0])
        alone.square().sum().backward()
        for stacked, own in zip(both.parameters(), member.parameters(), strict=True):
            assert stacked.grad is not None
            assert own.grad is not None
            assert torch.allclose(stacked.grad[row], own.grad, atol=1e-9)


def test_who_stays_goes_on_as_alone() -> None:
    """With its momentum, too."""
    members = [torch.nn.Linear(2, 1).double() for _ in range(3)]
    both, alone = Together(members), Together([copy.deepcopy(members[2])])
    several, single = optimizer_of([(both, 0.1)]), optimizer_of([(alone, 0.1)])
    rows = torch.eye(3, 2).double()
    for left in ([0, 1, 2], [0, 2], [2]):
        given = rows[left]
        for each, optimizer, inputs in ((both, several, given), (alone, single, rows[2:])):
            for _ in range(3):
                optimizer.zero_grad()
                each(inputs).square().sum().backward()
                optimizer.step()
        if left == [0, 1, 2]:
            both.keep([0, 2], several)
        elif left == [0, 2]:
            both.keep([1], several)
    for stacked, own in zip(both.parameters(), alone.parameters(), strict=True):
        assert torch.allclose(stacked[0], own)


@pytest.mark.parametrize("network", ["small", "paper", "decoder"])
@pytest.mark.parametrize("loss", LOSSES)
def test_a_fit_is_the_same_in_company(network: str, loss: str) -> None:
    # The paper's lowest scale normalises six pixels, which magnifies rounding; the decoder drifts by 0.005 in four.
    iterations = {"paper": 1, "decoder": 2}.get(network, 4)
    preset = Preset(network, loss, HeldOut(), iterations=iterations, precision="fp32")
    wanted = [Wanted(image[None], preset, seed=number) for number, image in enumerate(images())]
    for one, done in zip(wanted, together(wanted, 3), strict=True):
        alone = restore(one.image, preset, seed=one.seed)
        assert alike(done.image, alone.image)
        assert (done.step, done.iterations) == (alone.step, alone.iterations)


@pytest.mark.parametrize("threads", [1, 2])
def test_company_changes_nothing_whatever_the_threads(threads: int) -> None:
    """With one thread, a library gave wrong gradients of several networks at once."""
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        test_a_fit_is_the_same_in_company("small", "mse")
    finally:
        torch.set_num_threads(before)


def test_images_that_are_done_leave_the_others_as_they_are() -> None:
    base = Preset("small", "student-t", Fixed(9), precision="fp32")
    wanted = [
        Wanted(image[None], replace(base, rule=Fixed(count)), seed=number)
        for number, (image, count) in enumerate(zip(images(4), (5, 2, 9, 2), strict=True))
    ]
    found = together(wanted, 4)
    assert [done.iterations for done in found] == [5, 2, 9, 2]
    for one, done in zip(wanted, found, strict=True):
        assert alike(done.image, restore(one.image, one.preset, seed=one.seed).image)


def test_what_starts_warm_is_one_network_for_all() -> None:
    wanted = [Wanted(image[None], PRESETS["default"], seed=number) for number, image in enumerate(images())]
    for one, done in zip(wanted, together(wanted, 3), strict=True):
        assert torch.allclose(done.image, restore(one.image, seed=one.seed).image, atol=0.02)  # bf16 where there is
    generators = [torch.Generator() for _ in range(3)]
    fit = Reconstruction(images(), [make_network("warm")], [LOSSES["mse"]()] * 3, generators, Settings(0.0))
    assert fit.networks.alone
    assert len(fit.step()) == 3


def test_images_of_other_sizes_and_tiles_go_with_their_like() -> None:
    preset = Preset("small", "mse", Fixed(2), precision="fp32", tile=40)
    sizes = [(40, 40), (30, 100), (40, 40), (30, 100)]
    wanted = [Wanted(images(1, *size), preset, seed=9 * number) for number, size in enumerate(sizes)]
    found = together(wanted, 8)
    assert [done.tiles for done in found] == [1, 3, 1, 3]
    for one, done in zip(wanted, found, strict=True):
        assert alike(done.image, restore(one.image, preset, seed=one.seed).image)


@dataclass(frozen=True)
class Alarm:
    """A rule that notes what it is shown."""

    seen: list[int]
    held_out: float = 0.0

    def start(self) -> Watcher:
        def watch(step: Step) -> StopDecision:
            self.seen.append(step.iteration)
            return StopDecision(keep=True)

        return watch


def test_one_that_diverges_is_begun_again_without_the_others() -> None:
    seen: list[list[int]] = [[], []]
    good, bad = (Preset("small", "mse", Alarm(each), iterations=4, precision="fp32") for each in seen)
    broken = torch.full((1, 3, 64, 96), math.nan)
    first, second = restore_all([Wanted(images(1), good), Wanted(broken, bad)], 2)
    assert isinstance(first, Restored)
    assert first.iterations == 4
    assert seen == [[1, 2, 3, 4], []]
    assert isinstance(second, SampleError)
    assert second.kind == "Diverged"
    assert alike(first.image, restore(images(1), replace(good, rule=Fixed(4))).image)


def test_nothing_wanted_is_nothing_done() -> None:
    assert restore_all([]) == []
