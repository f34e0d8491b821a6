"""Make a classifier from a network whose input and output are not known in advance, such as the user's own."""

from typing import Any

import torch
from torch import Tensor, nn

from dptools.classifiers.classes import Classes, numbered
from dptools.classifiers.classifier import Classifier
from dptools.classifiers.local.preprocessing import Preprocessing
from dptools.classifiers.local.user_errors import describe
from dptools.classifiers.names import ClassifierOptions
from dptools.errors import DptoolsError, UsageError

SMALLEST = torch.finfo(torch.float32).tiny
"""Smaller probabilities count as this number, whose logarithm is finite."""


class OwnNetwork(nn.Module):
    """A network whose input is contiguous and whose output is logits.

    Attributes:
        network: maps images to logits or to probabilities; it may also return an object with the field ``logits``.
        gives_probabilities: whether its output is probabilities, whose logarithms are then returned.
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network
        self.gives_probabilities = False

    def forward(self, images: Tensor) -> Tensor:
        """Return the logits, B x classes, of images B x 3 x S x S."""
        scores: Tensor = self.output(images).float()
        return scores.clamp_min(SMALLEST).log() if self.gives_probabilities else scores

    def output(self, images: Tensor) -> Any:
        """Return what the network returns."""
        output = self.network(images.contiguous())
        return getattr(output, "logits", output)


def own_classifier(
    network: nn.Module,
    name: str,
    weights: str,
    options: ClassifierOptions,
    preprocessing: Preprocessing,
    classes: Classes | None = None,
    *,
    repeatable: bool = False,
) -> Classifier:
    """Return a classifier, after its network has classified a random image.

    Args:
        network: maps normalised images to logits or probabilities.
        name: the name of the model.
        weights: identifies the weights.
        options: the options, which may change the preprocessing and the classes.
        preprocessing: the preprocessing of the network before these changes.
        classes: the classes; None if only their number is known.
        repeatable: whether to check, by a second run on that image, that the scores do not vary.

    Raises:
        UsageError: the network does not accept the image or returns no scores, its scores vary, or the number of
            classes is another.
    """
    if getattr(network, "num_classes", None) == 0:  # so timm describes a network without its last layer
        raise UsageError(f"{name} has no classes and returns features: use weights or a network with a last layer")
    preprocessing = preprocessing.changed(options)
    wrapped = OwnNetwork(network.eval())
    size = preprocessing.geometry.crop
    scores = _try(wrapped, size, name)
    if repeatable and not torch.allclose(scores, _try(wrapped, size, name), rtol=1e-3, atol=1e-3):
        raise UsageError(f"{name}: exported in training mode: its scores for the same image vary")
    wrapped.gives_probabilities = bool((scores >= 0).all()) and abs(scores.sum().item() - 1) < 0.01
    return Classifier(
        wrapped,
        name=name,
        weights=weights,
        classes=choose_classes(options, scores.shape[1], name, classes),
        **vars(preprocessing),
        # A network of the user may contain `view`, which fails for other memory formats.
        memory_format=torch.contiguous_format,
    )


def choose_classes(options: ClassifierOptions, count: int, name: str, classes: Classes | None = None) -> Classes:
    """Return the classes that the user gave, or else those of the model, or else numbers.

    Raises:
        UsageError: the user gave another number of classes than the model has.
    """
    if options.classes is None:
        return classes if classes is not None and len(classes) == count else numbered(count)
    if len(options.classes) != count:
        raise UsageError(f"{len(options.classes)} class names were given, and {name} has {count} classes")
    return options.classes


def random_image(size: int) -> Tensor:
    """Return an image of random values in [0, 1], 1 x 3 x size x size, always the same."""
    return torch.rand((1, 3, size, size), generator=torch.Generator().manual_seed(0))


def _try(network: OwnNetwork, size: int, name: str) -> Tensor:
    """Return the scores of one random image, 1 x classes, on the CPU.

    Raises:
        UsageError: the network fails, or returns no scores.
    """
    image = random_image(size)
    try:
        with torch.no_grad():
            scores = network.output(image)
    except DptoolsError:
        raise
    except Exception as error:
        raise UsageError(f"{name} fails for an image of {size} x {size} pixels: {describe(error)}") from error
    if not isinstance(scores, Tensor):
        raise UsageError(f"{name} returns an object of type {type(scores).__name__}; expected a tensor of scores")
    if scores.ndim != 2 or len(scores) != 1 or scores.shape[1] < 2:
        shape = " x ".join(map(str, scores.shape)) or "a scalar"
        raise UsageError(
            f"{name} returns {shape} for one image of {size} x {size} pixels; expected 1 x the number of classes"
        )
    if not scores.isfinite().all():
        raise UsageError(f"{name} returns scores that are not finite")
    return scores.float()


def check_gradient(classifier: Classifier) -> None:
    """Check that gradients reach the image, if the classifier comes from :func:`own_classifier`.

    Without them, an attack would fail although the model is not robust.

    Raises:
        UsageError: they do not.
    """
    if not isinstance(classifier.network, OwnNetwork):
        return
    image = random_image(classifier.geometry.crop).to(classifier.device).requires_grad_()
    try:
        with torch.enable_grad():
            scores = classifier(image)
            found = scores.requires_grad and bool(torch.autograd.grad(scores.square().sum(), image)[0].any())
    except RuntimeError as error:
        raise UsageError(f"{classifier.name}: its gradient cannot be computed: {describe(error)}") from error
    if not found:
        raise UsageError(
            f"{classifier.name} has no gradient, or it is 0 everywhere, and the attack needs one: look for "
            "torch.no_grad, detach and rounding in its code"
        )
