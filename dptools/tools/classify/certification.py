"""The options ``--certify``, ``--smooth``, ``--draws``, ``--alpha``, ``--until`` and ``--purifier``."""

from collections.abc import Sequence
from dataclasses import dataclass

from dptools.certify.smoothing import PURIFIER, choosing_draws, fewest_draws, parse_sigma
from dptools.errors import UsageError
from dptools.pipe.record import Record
from dptools.purifiers import Method, parse_method

NO_PURIFIER = "none"

DRAWS, ALPHA = 1000, 0.001


@dataclass(frozen=True)
class CertificationOptions:
    """Options for randomised smoothing; see :class:`dptools.certify.Smoothed`.

    Attributes:
        sigmas: Standard deviations of the noise on the [0, 1] scale; not empty.
        certified: Whether to certify predictions, or to predict by vote only.
        purifier: The method that purifies noisy images; None for none.
        draws: Number of noisy images.
        alpha: Probability of an error, over all sigmas.
        until: The radius at which to end; None to use all draws.
        seed: Seed of the run.
    """

    sigmas: tuple[float, ...]
    certified: bool
    purifier: Method | None
    draws: int = DRAWS
    alpha: float = ALPHA
    until: float | None = None
    seed: int = 0

    @property
    def requests(self) -> int:
        """Return the largest number of noisy images that are classified for one image."""
        return len(self.sigmas) * (self.draws + (choosing_draws(self.draws) if self.certified else 0))

    @property
    def facts(self) -> Record:
        """Return the settings for the cache key."""
        return {**vars(self), "purifier": str(self.purifier or NO_PURIFIER)}


def parse_certification(
    certify: Sequence[str],
    smooth: str | None,
    purifier: str | None,
    draws: int | None,
    alpha: float | None,
    until: float | None,
    seed: int,
) -> CertificationOptions | None:
    """Return the options; None if neither ``--certify`` nor ``--smooth`` is given.

    Raises:
        UsageError: The options cannot be combined, or a value is out of range.
    """
    if certify and smooth is not None:
        raise UsageError("--certify and --smooth exclude each other: --certify also predicts by vote")
    if not certify and smooth is None:
        given = {"--purifier": purifier, "--draws": draws, "--alpha": alpha, "--until": until}
        for option, value in given.items():
            if value is not None:
                raise UsageError(f"{option} needs --certify or --smooth")
        return None
    if until is not None and not 0 < until < float("inf"):
        raise UsageError(f"--until {until:g}: give a radius above 0")
    if until is not None and not certify:
        raise UsageError("--until needs --certify: a vote has no radius")
    option = "--certify" if certify else "--smooth"
    sigmas = tuple(dict.fromkeys(_sigma(option, text) for text in certify or [str(smooth)]))
    alpha = ALPHA if alpha is None else alpha
    if not 0 < alpha < 1:
        raise UsageError(f"--alpha {alpha:g}: give the probability of an error, above 0 and below 1")
    if certify and draws and draws < (fewest := fewest_draws(alpha / len(sigmas))):
        raise UsageError(f"--draws {draws}: too few for a certificate with alpha {alpha:g}: give {fewest} or more")
    return CertificationOptions(sigmas, bool(certify), _purifier(purifier), draws or DRAWS, alpha, until, seed)


def _sigma(option: str, text: str) -> float:
    try:
        return parse_sigma(text)
    except UsageError as error:
        raise UsageError(f"{option} {error}") from None


def _purifier(text: str | None) -> Method | None:
    if text == NO_PURIFIER:
        return None
    try:
        method = parse_method(text or PURIFIER, others=(NO_PURIFIER,))
    except UsageError as error:
        raise UsageError(f"--purifier: {error}") from None
    if method.optimised:
        raise UsageError(
            f"--purifier {method}: a certificate needs one purification for each of its draws, with independent random "
            f"numbers, and {method.name} takes a second or more: choose perceptual, smoothing, a filter or "
            f"{NO_PURIFIER}"
        )
    return method
