"""The bundled classifier and a sample image."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from torch import Tensor

from dptools.classifiers import Classifier, load


@pytest.fixture(scope="session")
def classifier() -> Classifier:
    """Return the bundled classifier."""
    return load("efficientnet-lite0", device="cpu")


@pytest.fixture(scope="session")
def image(classifier: Classifier, dog: Path) -> Tensor:
    """Return an image of class 243, 1 x 3 x 224 x 224."""
    return classifier.tensor(np.asarray(Image.open(dog).convert("RGB")))
