"""ADef: resampling, smoothing, and the size of the deformation."""

from pathlib import Path

import numpy as np
import pytest
import torch
from foolbox import PyTorchModel
from foolbox.criteria import TargetedMisclassification
from PIL import Image
from scipy.ndimage import gaussian_filter, map_coordinates
from torch import Tensor

from dptools.attacks import ADefAttack
from dptools.attacks.attack_batch import AttackBatch
from dptools.attacks.vector_fields import deformation, gaussian, resample
from dptools.classifiers import Classifier


def noise(*shape: int) -> Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("sigma", [0.5, 1.0, 2.0])
def test_the_filter_equals_that_of_scipy(sigma: float) -> None:
    field = noise(2, 2, 24, 17)
    expected = np.stack([[gaussian_filter(plane, sigma) for plane in image] for image in field.numpy()])
    assert np.allclose(gaussian(field, sigma).numpy(), expected, atol=1e-6)


def test_the_filter_is_self_adjoint() -> None:
    a, b = noise(1, 1, 9, 9), noise(2, 1, 9, 9)[1:]
    assert float((gaussian(a, 1.0) * b).sum()) == pytest.approx(float((a * gaussian(b, 1.0)).sum()), rel=1e-5)


def test_images_are_resampled_bilinearly_with_the_border_repeated_outside() -> None:
    image, field = noise(1, 3, 12, 15), 6 * noise(1, 2, 12, 15) - 3
    rows, columns = np.mgrid[0:12, 0:15]
    at = [np.clip(rows + field[0, 1].numpy(), 0, 11), np.clip(columns + field[0, 0].numpy(), 0, 14)]
    expected = np.stack([map_coordinates(plane, at, order=1) for plane in image[0].numpy()])
    assert np.allclose(resample(image, field)[0].numpy(), expected, atol=1e-5)


def test_the_size_of_a_field_is_the_length_of_its_longest_vector() -> None:
    field = torch.zeros(2, 2, 4, 4)
    field[0, :, 1, 2] = torch.tensor([3.0, -4.0])
    assert deformation(field).tolist() == [5.0, 0.0]


def test_the_result_is_the_original_resampled_along_the_reported_field(classifier: Classifier, image: Tensor) -> None:
    attack = ADefAttack()
    batch = AttackBatch(classifier, image, [243], seeds=[0])
    _, deformed, success = attack(batch.model, image, batch.criterion, epsilons=None)
    assert success.all()
    assert torch.equal(deformed, resample(image, attack.fields))
    assert 0 < float(deformation(attack.fields)) < 1


def test_a_targeted_attack_reaches_its_class(classifier: Classifier, image: Tensor) -> None:
    model = PyTorchModel(classifier, bounds=(0, 1), device="cpu")
    _, deformed, success = ADefAttack()(model, image, TargetedMisclassification(torch.tensor([242])), epsilons=None)
    assert success.all()
    assert int(classifier.probabilities(deformed).argmax()) == 242


def test_the_attack_stops_at_the_largest_deformation(classifier: Classifier, image: Tensor) -> None:
    for limit in (0.0, 0.15):
        attack = ADefAttack(max_deformation=limit)
        batch = AttackBatch(classifier, image, [243], seeds=[0])
        _, _, success = attack(batch.model, image, batch.criterion, epsilons=None)
        assert not success.any()
        assert float(deformation(attack.fields)) <= limit


def test_a_constant_image_cannot_be_deformed(classifier: Classifier) -> None:
    flat = torch.full((1, 3, 224, 224), 0.5)
    label = int(classifier.probabilities(flat).argmax())
    batch = AttackBatch(classifier, flat, [label], seeds=[0])
    attack = ADefAttack(steps=2)
    _, deformed, success = attack(batch.model, flat, batch.criterion, epsilons=None)
    assert not success.any()
    assert torch.allclose(deformed, flat)
    assert torch.isfinite(attack.fields).all()


# Labels, and sizes of the deformation that the ADefAttack of Foolbox 2.4.0 computed with the same classifier. Its
# defaults are 100 steps, ten candidates and a filter of 1 pixel; it has no overshoot and no margin.
FOOLBOX_2 = {
    "n02172182/imagenet_19_305.jpg": (305, 0.007117),
    "n02108422/imagenet_00_243.jpg": (243, 0.215152),
    "n04417672/imagenet_05_853.jpg": (853, 0.478934),
    "n03998194/imagenet_12_741.jpg": (741, 0.586011),
}


@pytest.mark.parametrize("name", FOOLBOX_2)
def test_without_overshoot_the_deformation_equals_that_of_foolbox_2(
    name: str, classifier: Classifier, samples: Path
) -> None:
    label, size = FOOLBOX_2[name]
    pixels = np.asarray(Image.open(samples / name).convert("RGB"))
    batch = AttackBatch(classifier, classifier.tensor(pixels), [label], seeds=[0])
    attack = ADefAttack(overshoot=1, margin=0)
    _, _, success = attack(batch.model, batch.images, batch.criterion, epsilons=None)
    assert success.all()
    assert float(deformation(attack.fields)) == pytest.approx(size, rel=0.002)
