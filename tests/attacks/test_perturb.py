"""`perturb` as a library function: any classifier, checked arguments, and classifier calls of a fixed size."""

import pytest
import torch
from torch import Tensor, nn

from dptools.attacks import DefendedModel, SettingError, find, perturb
from dptools.attacks.attack_batch import AttackBatch
from dptools.attacks.query_counter import QUERY_BATCH_SIZE, query_in_batches


class Sum(nn.Module):
    """Two classes by brightness. It records its batch sizes and has memory for a limited number of images."""

    def __init__(self, capacity: int = 99) -> None:
        super().__init__()
        self.capacity, self.batch_sizes = capacity, list[int]()
        self.eval()

    def forward(self, images: Tensor) -> Tensor:
        self.batch_sizes.append(len(images))
        if len(images) > self.capacity:
            raise MemoryError
        return torch.stack([images.sum(dim=(1, 2, 3)), images.amax(dim=(1, 2, 3))], dim=1)


def network() -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(16, 5))


def photos(count: int = 3, height: int = 12, width: int = 9) -> Tensor:
    return torch.rand(count, 3, height, width, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("name", ["gs", "bun", "deepfool", "pgd", "adef", "L2PGD"])
def test_any_module_can_be_attacked(name: str, dtype: torch.dtype) -> None:
    model, images = network().eval().to(dtype), photos().to(dtype)
    labels = model(images).argmax(dim=1)
    attack = find(name)
    attack = attack.configure(epsilon=2) if attack.needs_epsilon and attack.epsilon is None else attack
    results = perturb(attack, model, images, labels)
    assert len(results) == 3
    for result, label in zip(results, labels, strict=True):
        assert result.image.shape == (1, 3, 12, 9)
        assert result.image.dtype == dtype
        assert torch.equal(result.image, (result.image * 255).round() / 255)
        assert result.success == (int(result.scores.argmax()) != int(label))


def test_the_example_of_the_docstring_runs() -> None:
    model, images = network().eval(), photos()
    labels = model(images).argmax(dim=1).tolist()
    attack = find("pgd").configure(epsilon=8 / 255, steps=20)
    results = perturb(attack, model, images, labels)
    adversarial = torch.cat([result.image for result in results])
    assert (adversarial - (images * 255).round() / 255).abs().max() <= 8 / 255 + 1e-6
    by_name = perturb("pgd", model, images, labels)
    assert [result.norms for result in by_name] == [
        result.norms for result in perturb(find("pgd"), model, images, labels, seeds=[0, 1, 2])
    ]


def test_no_images_give_no_results() -> None:
    assert perturb("gs", network().eval(), photos(0), []) == []


@pytest.mark.parametrize(
    ("images", "labels", "seeds", "target", "message"),
    [
        (torch.zeros(3, 4, 4), [0], None, None, "images: expected shape B x 3 x H x W, got 3 x 4 x 4"),
        (torch.zeros(1, 1, 4, 4), [0], None, None, "images: expected shape B x 3 x H x W, got 1 x 1 x 4 x 4"),
        (torch.zeros(1, 3, 4, 4).byte(), [0], None, None, "images: expected dtype float32 or float64, got uint8"),
        (torch.full((1, 3, 4, 4), torch.nan), [0], None, None, "images: expected finite values, got NaN or infinity"),
        (torch.full((1, 3, 4, 4), -0.5), [0], None, None, r"images: expected values in \[0, 1\], got -0.5 to -0.5"),
        (torch.full((1, 3, 4, 4), 128.0), [0], None, None, r"images: expected values in \[0, 1\], got 128 to 128"),
        (torch.zeros(2, 3, 4, 4), [0], None, None, "labels: expected 2, one for each image, got 1"),
        (torch.zeros(1, 3, 4, 4), [-1], None, None, "labels: expected class indices from 0, got -1"),
        (torch.zeros(1, 3, 4, 4), [0], None, -2, "target: expected class indices from 0, got -2"),
        (torch.zeros(1, 3, 4, 4), [0], [1, 2], None, "seeds: expected 1, one for each image, got 2"),
        (torch.zeros(1, 3, 4, 4), [0], [2**63], None, r"seeds: expected 0 <= seed < 2\*\*63, got 9223372036854775808"),
    ],
)
def test_wrong_arguments_are_rejected(
    images: Tensor, labels: list[int], seeds: list[int] | None, target: int | None, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        perturb("pgd", Sum(), images, labels, seeds=seeds, target=target)


def test_images_that_are_no_tensor_are_rejected() -> None:
    with pytest.raises(TypeError, match=r"images: expected a torch\.Tensor, got ndarray"):
        perturb("pgd", Sum(), torch.zeros(1, 3, 4, 4).numpy(), [0])  # type: ignore[arg-type]


def test_missing_settings_are_rejected() -> None:
    with pytest.raises(SettingError, match="LinfPGD needs an epsilon above 0 and at most 1 in linf, such as 8/255"):
        perturb("LinfPGD", Sum(), torch.zeros(1, 3, 4, 4), [0])
    with pytest.raises(SettingError, match="gs does not support a target class"):
        perturb("gs", Sum(), torch.zeros(1, 3, 4, 4), [0], target=1)


def test_modes_of_submodules_are_not_changed() -> None:
    model = nn.Sequential(nn.BatchNorm2d(3), Sum()).eval()
    model[0].train()
    AttackBatch(model, torch.zeros(1, 3, 4, 4), [0], seeds=[0])
    DefendedModel(model, lambda images, **_: images, eot_samples=1, seed=0)
    assert model[0].training


def test_the_classifier_gets_batches_of_one_size() -> None:
    classifier, images = Sum(), photos(7, 4, 4)
    assert torch.equal(query_in_batches(classifier, images, 3), Sum()(images))
    assert classifier.batch_sizes == [3, 3, 3]


def test_after_running_out_of_memory_batches_are_halved(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(QUERY_BATCH_SIZE, "cpu", 8)
    classifier, images = Sum(capacity=2), torch.full((5, 3, 4, 4), 100 / 255)
    results = perturb(find("gs"), classifier, images, [0] * 5, seeds=range(5))
    assert len(results) == 5
    assert QUERY_BATCH_SIZE["cpu"] == 2
    assert classifier.batch_sizes[:3] == [8, 4, 2]
    alone = perturb(find("gs"), Sum(), images[:1], [0], seeds=[0])
    assert torch.equal(results[0].image, alone[0].image)


def test_one_image_too_large_for_the_memory_is_an_error() -> None:
    with pytest.raises(MemoryError):
        perturb(find("gs"), Sum(capacity=0), torch.zeros(1, 3, 4, 4), [0], seeds=[0])


def test_a_batch_size_that_the_classifier_sets_is_not_halved() -> None:
    classifier = Sum(capacity=1)
    classifier.query_batch_size = 2
    with pytest.raises(MemoryError):
        perturb(find("gs"), classifier, torch.zeros(2, 3, 4, 4), [0, 0])
    assert classifier.batch_sizes == [2]
