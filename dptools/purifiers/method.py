"""Purification methods and their names. This module imports no image or network library."""

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches

from dptools.errors import UsageError
from dptools.purifiers.filters.registry import PARAMETERS, Filter, parse_filter
from dptools.purifiers.parameter import Parameter
from dptools.texts import did_you_mean, exact

NETWORK_METHODS = {
    "fast": "a network that two classifiers helped to train; sign steps if the perturbation is dense",
    "denoiser": "the same steps with a network that was trained without classifiers",
    "perceptual": "the network of fast, without added noise; for certification",
    "smoothing": "a network for strong Gaussian noise; for certification",
    "photo": "the network of denoiser, one pass without added noise; made for the eye",
    "zero-shot": "small network with random weights, trained on the image alone in about a second",
    "dip": "deep image prior: random weights fitted to the image, label-free stopping",
    "paper": "deep image prior as in the Deep Protection paper",
}
"""The methods that run a network, with descriptions for help texts."""

METHODS = (*NETWORK_METHODS, *PARAMETERS)

FITS = ("dip", "paper")
"""The deep image priors, whose fits have a stopping criterion and can be observed."""

OPTIMISED = ("zero-shot", *FITS)
"""The methods that train a network for each image. Their outputs have no gradient."""

NOISY = ("fast", "denoiser")
"""The methods that add noise before the network runs."""

QUANTISED = ("fast", "perceptual", "smoothing")
"""The methods whose network computes in 8-bit integers on a CPU. Gradients are those of the network in float32."""

DEFAULT = "fast"

DEFAULT_STRENGTH = 12
"""Standard deviation of the noise of a pass of ``denoiser``, on the 8-bit scale."""

STRENGTH = Parameter(
    "noise of a pass, as a standard deviation on the 8-bit scale,", 1, 100, DEFAULT_STRENGTH, integer=False
)
"""The parameter of method ``denoiser``."""


@dataclass(frozen=True)
class Method:
    """A method and its parameter.

    Attributes:
        name: one of METHODS.
        filter: the filter and its parameter; None for methods that run a network.
        strength: standard deviation of the noise of a pass, on the 8-bit scale; None for the default.
    """

    name: str
    filter: Filter | None = None
    strength: float | None = None

    @property
    def fits(self) -> bool:
        """Whether the method is a deep image prior."""
        return self.name in FITS

    @property
    def optimised(self) -> bool:
        """Whether a network is trained for each image."""
        return self.name in OPTIMISED

    @property
    def differentiable(self) -> bool:
        """Whether gradients flow through the method."""
        return not (self.optimised or self.filter)

    @property
    def quantised(self) -> bool:
        """Whether the method may compute in integers, so that its gradient is that of the network in float32."""
        return self.name in QUANTISED

    @property
    def random(self) -> bool:
        """Whether the output depends on random numbers."""
        return self.optimised or self.name in NOISY

    def __str__(self) -> str:
        if self.filter:
            return str(self.filter)
        return self.name if self.strength is None else f"{self.name}:{exact(self.strength)}"


def parse_method(text: str, others: Sequence[str] = ()) -> Method:
    """Return the method that a text such as ``denoiser``, ``denoiser:24`` or ``jpeg:50`` names.

    Args:
        text: the name, and a value behind a colon.
        others: what the user may choose besides methods, for the error message.

    Raises:
        UsageError: there is no such method, or it does not take this value. The message lists the choices.
    """
    name, colon, value = text.partition(":")
    if name in PARAMETERS:
        return Method(name, parse_filter(text))
    if name not in NETWORK_METHODS:
        word, equals, value = text.partition("=")
        similar = [f"{word}:{value}"] if equals and word in METHODS else get_close_matches(name, METHODS)
        raise UsageError(f"unknown method {name!r}{did_you_mean(similar)}: choose {', '.join((*METHODS, *others))}")
    if colon and name == "denoiser":
        strength = STRENGTH.parse(name, value)
        return Method(name, strength=None if strength == DEFAULT_STRENGTH else strength)
    if colon:
        raise UsageError(f"method {name}:{value}: {name} takes no value")
    return Method(name)
