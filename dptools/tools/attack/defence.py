"""What the attacker knows: a purification method in front of the classifier, and how its gradient is computed."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING

from dptools.certify.smoothing import PURIFIER, Smoothing, parse_defence
from dptools.errors import UsageError, check_name
from dptools.pipe.record import Record

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

    from dptools.attacks import DefendedModel
    from dptools.purifiers import Method, Purifier
    from dptools.purifiers.denoiser import DenoiserSettings

logger = logging.getLogger(__name__)

GRADIENTS = ("auto", "exact", "surrogate", "bpda")
"""Ways to compute the gradient of a method.

``auto`` is ``exact`` for a differentiable method, ``surrogate`` for a method that trains a network for each image, and
otherwise ``bpda``.
"""

SURROGATE = "denoiser"
"""The method whose gradient replaces that of a method without one."""

JUDGES = 10
"""Default number of purifications that judge an image."""

AUTOATTACK_EOT = 20
"""Default number of draws per gradient of ``autoattack`` behind a random method, as in the authors' code."""


@dataclass(frozen=True)
class DefenceOptions:
    """The options ``--through``, ``--eot``, ``--gradient``, ``--judge`` and ``--fixed-draws``.

    Attributes:
        through: Purification method, such as ``denoiser`` or ``jpeg:50``, or ``smooth:SIGMA`` for the smoothed
            classifier of dp-classify; None for no defence.
        eot_samples: Number of purifications that each gradient averages; None for the default.
        gradient: One of GRADIENTS; None for ``auto``.
        judges: Number of purifications that judge an image; None for JUDGES.
        fixed_draws: Whether the attacker knows the random numbers of the method.

    Raises:
        UsageError: The options cannot be combined.
    """

    through: str | None = None
    eot_samples: int | None = None
    gradient: str | None = None
    judges: int | None = None
    fixed_draws: bool = False

    def __post_init__(self) -> None:
        if self.through is None:
            self._require_method()
            return
        try:
            method = parse_defence(self.through)
        except UsageError as error:
            raise UsageError(f"--through: {error}") from None
        if self.gradient is not None:
            check_name("gradient", self.gradient, GRADIENTS)
        if self.gradient == "exact" and not method.differentiable:
            raise UsageError(f"--gradient exact: {method.name} has no gradient: choose surrogate or bpda")
        given = {"--fixed-draws": self.fixed_draws, "--eot": self.eot_samples, "--judge": self.judges}
        if not method.random and (useless := [option for option, value in given.items() if value]):
            raise UsageError(f"{useless[0]}: {method} draws no random numbers")
        if self.fixed_draws and isinstance(method, Smoothing):
            raise UsageError(f"--fixed-draws: {method} is the vote of many draws, so it needs fresh draws")
        if self.fixed_draws and (self.eot_samples or self.judges):
            raise UsageError("--fixed-draws leaves one draw, so it excludes --eot and --judge")

    @property
    def method(self) -> "Method | Smoothing | None":
        """The purification method; None for no defence."""
        return None if self.through is None else parse_defence(self.through)

    @property
    def resolved_gradient(self) -> str:
        """The kind of gradient; see :class:`dptools.attacks.DefendedModel`. Requires a method."""
        if self.gradient not in (None, "auto"):
            return str(self.gradient)
        assert self.method
        return "exact" if self.method.differentiable else "surrogate" if self.method.optimised else "bpda"

    def eot(self, attack: str) -> int:
        """Return the number of draws per gradient for an attack."""
        if self.fixed_draws or not (self.method and self.method.random):
            return 1
        return self.eot_samples or (AUTOATTACK_EOT if attack == "autoattack" else 1)

    def facts(self, attack: str) -> Record:
        """Return the fields that are added to the ``attack`` object of the record."""
        if self.method is None:
            return {}
        fixed = {"fixed_draws": True} if self.fixed_draws else {}
        judges = {"judges": self.judges or JUDGES} if self.method.random and not self.fixed_draws else {}
        gradient = self.resolved_gradient
        return {"through": str(self.method), "gradient": gradient, "eot": self.eot(attack), **judges, **fixed}

    def params(self, device: "torch.device") -> Record:
        """Return what else the result depends on, for the cache key: weights, number formats and device."""
        from dptools.purifiers.precision import effective

        if self.method is None or not (self.method.optimised or self._networks()):
            return {}
        networks = {name: settings.facts(device) for name, settings in self._networks().items()}
        return {"networks": networks, "precision": effective(device, "auto"), "device": device.type}

    def _networks(self) -> "dict[str, DenoiserSettings]":
        """Return the settings of the pretrained networks that compute outputs and gradients."""
        from dptools.purifiers import parse_method
        from dptools.purifiers.denoiser.settings import settings_of

        assert self.method
        purifier = parse_method(PURIFIER) if isinstance(self.method, Smoothing) else self.method
        found = {} if purifier.optimised or purifier.filter else {"purifier": settings_of(purifier)}
        surrogate = {"surrogate": settings_of(parse_method(SURROGATE))} if self.resolved_gradient == "surrogate" else {}
        return found | surrogate

    def load(self, device: "torch.device") -> "Defence | None":
        """Return the defence with its purifiers on the device; None for no defence."""
        from dptools.certify import NoisyPurifier
        from dptools.purifiers import load

        if self.method is None:
            return None
        surrogate = load(SURROGATE, device=device) if self.resolved_gradient == "surrogate" else None
        if isinstance(self.method, Smoothing):
            return Defence(self, NoisyPurifier(self.method.sigma, load(PURIFIER, device=device)), surrogate)
        return Defence(self, load(self.method, device=device), surrogate)

    def _require_method(self) -> None:
        given = {
            "--eot": self.eot_samples is not None,
            "--gradient": self.gradient is not None,
            "--judge": self.judges is not None,
            "--fixed-draws": self.fixed_draws,
        }
        for option, is_given in given.items():
            if is_given:
                raise UsageError(f"{option} needs --through: it is about a purification method in front of the model")


@dataclass(frozen=True)
class Defence:
    """A defence with its purifiers loaded.

    Attributes:
        options: The options.
        purifier: The purification method.
        surrogate: The purifier whose gradient is used instead; None for none.
    """

    options: DefenceOptions
    purifier: "Purifier"
    surrogate: "Purifier | None" = None

    def model(self, classifier: "nn.Module", attack: str, *, seed: int, image_id: str) -> "DefendedModel":
        """Return the classifier behind the purifier.

        Args:
            classifier: Maps images in [0, 1] to logits.
            attack: Name of the attack.
            seed: Seed of the first purification.
            image_id: The id of the image for the log. Every purification is logged, because it can be slow.
        """
        from dptools.attacks import DefendedModel

        return DefendedModel(
            classifier,
            _Logged(self.purifier, image_id),
            eot_samples=self.options.eot(attack),
            seed=seed,
            gradient=self.options.resolved_gradient,
            surrogate=self.surrogate,
            judges=self.options.judges or JUDGES,
            fixed_draw=self.options.fixed_draws,
            judges_8bit=not isinstance(self.options.method, Smoothing),  # as dp-denoise writes them
        )


class _Logged:
    """A purifier that logs each call with the id of the image."""

    def __init__(self, purifier: "Purifier", image_id: str) -> None:
        self.purifier, self.image_id = purifier, image_id
        self.differentiable, self.random = purifier.differentiable, purifier.random
        self._numbers = count(1)

    def __call__(self, images: "Tensor", *, seeds: Sequence[int]) -> "Tensor":
        logger.info("%s: purification %d", self.image_id, next(self._numbers))
        purified: Tensor = self.purifier(images, seeds=seeds)
        return purified
