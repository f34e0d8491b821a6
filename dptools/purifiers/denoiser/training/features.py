"""Classifiers that take part in training: their features measure the error, and their gradients perturb images.

A denoiser that minimises the error of pixels removes texture that classifiers need. The distance between features
penalises that (Zhang et al., arXiv 1801.03924), and the cross-entropy of predictions, too (Salman et al., arXiv
2003.01908). Perturbed images teach the network what gradient-based attacks add
(Liao et al., arXiv 1712.02976).
"""

import random
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, normalize

from dptools.classifiers import Classifier, load

MAX_LINF = 12
"""The largest perturbation of a value, in 1/255."""

MAX_RMS = 5
"""The largest root mean square of a perturbation that is bounded in L2, in 1/255."""

STEPS = (1, 1, 2, 4)
"""Numbers of gradient steps. Each call draws one entry, so a single step is twice as probable as the others."""


class FeatureExtractor(nn.Module):
    """A classifier together with features of its layers.

    Attributes:
        classifier: a convolutional classifier.
    """

    def __init__(self, classifier: Classifier) -> None:
        super().__init__()
        self.classifier = classifier
        self._features: dict[int, Tensor] | None = None  # features of the present call
        for layer in classifier.network.modules():
            if not next(layer.children(), None):
                layer.register_forward_hook(self._keep)

    def forward(self, images: Tensor) -> list[Tensor]:
        """Return the last features at each resolution, B x C x H x W, and the logits, B x classes."""
        features: dict[int, Tensor] = {}
        self._features = features
        logits = self.classifier(images)
        self._features = None
        return [*features.values(), logits]

    def _keep(self, _module: nn.Module, _inputs: object, output: object) -> None:
        if self._features is not None and isinstance(output, Tensor) and output.ndim == 4 and output.shape[-1] > 1:
            self._features[output.shape[-1]] = output


class Critics:
    """Classifiers that take part in training. Each call of a method uses one of them, drawn at random.

    Args:
        names: names of classifiers, as of ``--model``. The classifier of the evaluation must not be among them.
        device: device to compute on.
        draw: generator of the choices; noise comes from torch's generator of the device.
    """

    def __init__(self, names: Sequence[str], device: torch.device, draw: random.Random) -> None:
        self._extractors = [FeatureExtractor(load(name, device=str(device))) for name in names]
        self._draw = draw

    def errors(self, outputs: Tensor, clean: Tensor) -> tuple[Tensor, Tensor]:
        """Return how much the features and the predictions of a classifier differ between two sets of images.

        Args:
            outputs: images about in [0, 1], B x 3 x H x W; gradients flow to them.
            clean: the images that they should equal, of the same shape.

        Returns:
            The mean squared distance of the features, normalised over channels and summed over layers; and the mean
            cross-entropy of the predictions, relative to those on the clean images.
        """
        extractor = self._draw.choice(self._extractors)
        with torch.no_grad():
            targets = extractor(clean)
        features = extractor(outputs)
        pairs = zip(features, targets, strict=True)
        distances = [(normalize(found) - normalize(target)).square().sum(1).mean() for found, target in pairs]
        return torch.stack(distances).sum(), cross_entropy(features[-1], targets[-1].softmax(1))

    def perturb(self, images: Tensor) -> Tensor:
        """Return images with an adversarial perturbation, bounded in Linf or L2, of a random strength for each image.

        The perturbation lowers the probability of the class that the classifier sees in the image.
        """
        classifier = self._draw.choice(self._extractors).classifier
        linf, steps = self._draw.random() < 0.6, self._draw.choice(STEPS)
        with torch.no_grad():
            labels = classifier(images).argmax(1)
        limit = (MAX_LINF if linf else MAX_RMS) / 255 * torch.rand(len(images), 1, 1, 1, device=images.device)
        change = limit * (2 * torch.rand_like(images) - 1) / 2
        for _ in range(steps):
            with torch.enable_grad():
                inputs = (images + change).clamp(0, 1).requires_grad_()
                (gradient,) = torch.autograd.grad(cross_entropy(classifier(inputs), labels, reduction="sum"), inputs)
            if linf:
                change = (change + 1.5 * limit / steps * gradient.sign()).clamp(-limit, limit)
            else:
                change = change + 1.5 * limit / steps * gradient / (_rms(gradient) + 1e-12)
                change = change * (limit / (_rms(change) + 1e-12)).clamp(max=1)
        return (images + change).clamp(0, 1)


def _rms(values: Tensor) -> Tensor:
    return values.square().mean((1, 2, 3), keepdim=True).sqrt()
