"""A classifier together with its detector, as seen by an attacker who knows both."""

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

from dptools.detection.detector import Detector
from dptools.purifiers import FilterPurifier


class WatchedModel(nn.Module):
    """The mean prediction of a classifier and of all views of its detector, with a gradient.

    If the mean prefers a wrong class clearly, so do the classifier and most views, and then the image is both
    misclassified and not suspicious. The gradient treats filters as the identity (BPDA, arXiv 1802.00420).

    Attributes:
        detector: The detector with its classifier.
    """

    def __init__(self, detector: Detector) -> None:
        super().__init__()
        self.detector = detector
        self.filters = [FilterPurifier(chosen) for chosen in detector.filters]
        self.training = False

    def forward(self, images: Tensor) -> Tensor:
        """Return the logarithm of the mean probabilities, B x classes, of images in [0, 1], B x 3 x H x W.

        The classifier has as much weight as all views together.
        """
        detector = self.detector
        views = [
            _log_probabilities(other, _resize(images, other.geometry.crop)) for other in detector.other_classifiers
        ]
        if self.filters:
            views.append(_log_probabilities(detector.classifier, images.flip(-1)))
        for squeezing_filter in self.filters:
            with torch.no_grad():
                changed = squeezing_filter(images.detach())
            views.append(_log_probabilities(detector.classifier, images + (changed - images).detach()))
        mean_view = torch.stack(views).logsumexp(0) - torch.tensor(len(views)).log()
        own = _log_probabilities(detector.classifier, images)
        return torch.logaddexp(own, mean_view) - torch.tensor(2.0).log()


def _log_probabilities(classifier: nn.Module, images: Tensor) -> Tensor:
    logits: Tensor = classifier(images)
    return logits.log_softmax(dim=1)


def _resize(images: Tensor, side: int) -> Tensor:
    if images.shape[-1] == side:
        return images
    return interpolate(images, (side, side), mode="bicubic", antialias=True).clamp(0, 1)
