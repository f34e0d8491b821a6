"""Tests of copying a random sample of a labelled folder."""

from pathlib import Path

import pytest

from dptools.samples import copy_sample


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, count in (("n01", 3), ("n02", 1), ("n03", 5), ("n04", 2)):
        (tmp_path / "all" / name).mkdir(parents=True)
        for number in range(count):
            (tmp_path / "all" / name / f"{number}.JPEG").write_text(f"{name} {number}")
        (tmp_path / "all" / name / "notes.txt").write_text("not an image")
    return tmp_path / "all"


def test_the_same_seed_chooses_the_same_images(folder: Path, tmp_path: Path) -> None:
    runs = [
        copy_sample(folder, tmp_path / str(run), classes=2, per_class=2, seed=seed)
        for run, seed in enumerate((1, 1, 5))
    ]
    names = [[path.relative_to(tmp_path / str(run)) for path in paths] for run, paths in enumerate(runs)]
    assert names[0] == names[1] != names[2]
    assert len({path.parent for path in runs[0]}) == 2
    assert [path.read_text() for path in runs[0]] == [f"{path.parent.name} {path.stem}" for path in runs[0]]


def test_classes_with_too_few_images_are_left_out(folder: Path, tmp_path: Path) -> None:
    paths = copy_sample(folder, tmp_path / "out", classes=3, per_class=2, seed=0)
    assert {path.parent.name for path in paths} == {"n01", "n03", "n04"}
    with pytest.raises(ValueError, match="4 directories with 2 images or more needed, 3 found"):
        copy_sample(folder, tmp_path / "out", classes=4, per_class=2, seed=0)
