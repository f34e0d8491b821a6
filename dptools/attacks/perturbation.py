"""Run an attack on one image, and judge it by the 8-bit image that will be saved."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from foolbox import PyTorchModel
from torch import Tensor, nn

from dptools.attacks.lattice import rounded, to_lattice
from dptools.attacks.registry import Attack


@dataclass(frozen=True)
class Outcome:
    """What came of an attack.

    Attributes:
        image: 1 x 3 x H x W, on the 8-bit lattice: multiples of 1/255.
        success: the classifier errs on it.
        success_float: the classifier erred on it before rounding.
        norms: size of the perturbation as saved: ``l0`` share of values changed, ``l2``, ``linf`` on the [0, 1] scale,
            ``linf_255`` in 8-bit steps.
        queries: images that the classifier was asked about.
    """

    image: Tensor
    success: bool
    success_float: bool
    norms: dict[str, float]
    queries: int


def perturb(attack: Attack, classifier: nn.Module, image: Tensor, label: int, *, seed: int) -> Outcome:
    """Attack one image that the classifier gets right.

    Args:
        classifier: images in [0, 1] to scores.
        image: 1 x 3 x H x W in [0, 1], on the 8-bit lattice.
        label: its true class.
        seed: for attacks that draw at random; torch's global state is left as it was.
    """
    counted = _Counted(classifier)
    model = PyTorchModel(counted, bounds=(0, 1), device=image.device)
    cuda = [image.device] if image.device.type == "cuda" else []
    with torch.random.fork_rng(devices=cuda):
        torch.manual_seed(seed)
        exact = attack(model, image, torch.tensor([label], device=image.device)).detach()
    errs = _errs(counted, label)
    success_float = errs(exact)
    saved = to_lattice(image, exact, errs) if success_float else rounded(exact)
    return Outcome(saved, errs(saved), success_float, norms(saved - image), counted.queries)


def norms(perturbation: Tensor) -> dict[str, float]:
    """L0 (as a share), L2 and Linf of one perturbation; see :class:`Outcome`."""
    largest = perturbation.abs().max().item()
    return {
        "l0": (perturbation != 0).float().mean().item(),
        "l2": perturbation.norm().item(),
        "linf": largest,
        "linf_255": round(largest * 255),
    }


def _errs(classifier: nn.Module, label: int) -> Callable[[Tensor], bool]:
    @torch.no_grad()
    def errs(image: Tensor) -> bool:
        return int(classifier(image).argmax(dim=1)) != label

    return errs


class _Counted(nn.Module):
    """A classifier that counts the images it is asked about."""

    def __init__(self, classifier: nn.Module) -> None:
        super().__init__()
        self.classifier, self.queries = classifier, 0
        self.train(classifier.training)

    def forward(self, images: Tensor) -> Tensor:
        self.queries += len(images)
        scores: Tensor = self.classifier(images)
        return scores
