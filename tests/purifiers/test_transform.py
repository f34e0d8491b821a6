"""The transform of torchvision: it works in a Compose and a DataLoader, on PIL images and tensors."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import DataLoader
from torchvision import tv_tensors
from torchvision.datasets import ImageFolder
from torchvision.transforms import v2

from dptools.errors import UsageError
from dptools.purifiers import Purify, load
from dptools.purifiers.filters import apply, parse_filter

MEDIAN = parse_filter("median:3")


def pixels(height: int = 20, width: int = 30) -> np.ndarray[Any, np.dtype[np.uint8]]:
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)


def channels_first(image: np.ndarray[Any, np.dtype[np.uint8]]) -> Tensor:
    return torch.from_numpy(image.copy()).permute(2, 0, 1)


def test_pil_images_and_tensors_give_the_same_pixels_in_their_own_type() -> None:
    purify, expected = Purify("median:3"), apply(MEDIAN, pixels())
    from_pil = purify(Image.fromarray(pixels()))
    assert isinstance(from_pil, Image.Image)
    assert np.array_equal(np.asarray(from_pil), expected)
    from_bytes = purify(channels_first(pixels()))
    assert from_bytes.dtype == torch.uint8
    assert torch.equal(from_bytes, channels_first(expected))
    image = purify(tv_tensors.Image(channels_first(pixels()).float() / 255))
    assert isinstance(image, tv_tensors.Image)
    assert torch.equal(image.as_subclass(Tensor), channels_first(expected).float() / 255)


def test_a_batch_is_purified_image_by_image() -> None:
    batch = torch.stack([channels_first(pixels()), 255 - channels_first(pixels())])
    assert torch.equal(Purify("median:3")(batch)[1], Purify("median:3")(batch[1]))


def test_greyscale_images_stay_greyscale() -> None:
    grey = Image.fromarray(pixels()).convert("L")
    purified = Purify("median:3")(grey)
    assert (purified.mode, purified.size) == ("L", grey.size)
    as_tensor = Purify("median:3")(torch.from_numpy(np.array(grey))[None])
    assert torch.equal(as_tensor[0], torch.from_numpy(np.array(purified)))


def test_labels_masks_and_boxes_pass_through() -> None:
    mask = tv_tensors.Mask(channels_first(pixels())[:1])
    sample = {"image": Image.fromarray(pixels()), "label": 3, "mask": mask, "logits": torch.ones(4)}
    purified = Purify("median:3")(sample)
    assert not np.array_equal(np.asarray(purified["image"]), pixels())
    assert purified["label"] == 3
    assert purified["mask"] is mask
    assert torch.equal(purified["logits"], torch.ones(4))


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (Image.new("RGBA", (4, 4)), r"mode RGB or L, got RGBA: use image.convert\('RGB'\)"),
        (torch.zeros(4, 4), r"C x H x W with 1 or 3 channels, got \(4, 4\)"),
        (torch.zeros(2, 4, 4), r"with 1 or 3 channels, got \(2, 4, 4\)"),
        (torch.zeros(3, 4, 4, dtype=torch.int64), "uint8 or floating point, got torch.int64"),
        (torch.full((3, 4, 4), 200.0), "divide by 255"),
    ],
)
def test_unsuitable_images_are_refused(wrong: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Purify("median:3")(wrong)


def test_an_unknown_method_is_refused_when_the_transform_is_made() -> None:
    with pytest.raises(UsageError, match="unknown method 'cold'"):
        Purify("cold")


def test_a_data_loader_purifies_in_its_workers_and_repeats_with_the_same_generator(tmp_path: Path) -> None:
    (tmp_path / "class").mkdir()
    ramp = np.linspace(0, 240, pixels().shape[1], dtype=np.uint8)[:, None]
    for number in range(3):
        Image.fromarray(ramp + pixels() // 32).save(tmp_path / "class" / f"{number}.png")  # faint noise
    transform = v2.Compose([Purify(load("denoiser:30")), v2.ToImage(), v2.ToDtype(torch.float32, scale=True)])
    data = ImageFolder(tmp_path, transform)

    def epoch(seed: int) -> Tensor:
        loader = DataLoader(data, batch_size=3, num_workers=1, generator=torch.Generator().manual_seed(seed))
        ((images, labels),) = loader
        assert labels.tolist() == [0, 0, 0]
        return images

    first = epoch(1)
    assert first.shape == (3, 3, 20, 30)
    assert not torch.equal(first[0], first[1])  # each image gets its own noise
    assert torch.equal(first, epoch(1))
    assert not torch.equal(first, epoch(2))
