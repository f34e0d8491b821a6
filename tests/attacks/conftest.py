"""A real classifier and a real image for the attacks."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from torch import Tensor

from dptools.classifiers import Classifier, load


@pytest.fixture(scope="session")
def classifier() -> Classifier:
    return load("efficientnet-lite0", device="cpu")


@pytest.fixture(scope="session")
def image(classifier: Classifier, dog: Path) -> Tensor:
    return classifier.tensor(np.asarray(Image.open(dog).convert("RGB")))
