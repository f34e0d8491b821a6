"""Certified predictions by randomised smoothing (Cohen, Rosenfeld and Kolter, arXiv 1902.02918).

>>> smoothed = Smoothed(classifier, dptools.purifiers.load("perceptual"), sigma=0.25)
>>> certificate = smoothed.certify(image, draws=1000)
>>> certificate.label, certificate.radius
"""

from typing import TYPE_CHECKING

from dptools.lazy import lazy

if TYPE_CHECKING:
    from dptools.certify.bounds import clopper_pearson_lower
    from dptools.certify.certificate import Certificate, Vote
    from dptools.certify.noisy import NoisyPurifier
    from dptools.certify.smoothed import Smoothed
else:
    __getattr__ = lazy(
        __name__,
        bounds=("clopper_pearson_lower",),
        certificate=("Certificate", "Vote"),
        noisy=("NoisyPurifier",),
        smoothed=("Smoothed",),
    )

__all__ = ["Certificate", "NoisyPurifier", "Smoothed", "Vote", "clopper_pearson_lower"]
