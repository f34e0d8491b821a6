"""Change the settings of a method as the user requests."""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from dptools.errors import UsageError
from dptools.purifiers.denoiser.settings import DenoiserSettings, settings_of
from dptools.purifiers.dip.settings import FIT_SETTINGS, FitSettings
from dptools.purifiers.dip.stopping import Fixed, HeldOut
from dptools.purifiers.dip.stopping_names import parse_criterion
from dptools.purifiers.method import FITS, Method
from dptools.purifiers.zero_shot.settings import ZERO_SHOT, ZeroShotSettings

if TYPE_CHECKING:
    from dptools.purifiers.dip.stopping import StoppingCriterion

MAX_ITERATIONS = 3000
"""The default maximum of iterations, except with ``fixed`` and ``held-out`` (Deep Protection paper, section 4.1)."""

SMALLEST_TILE = 64
"""The smallest accepted side of a tile, in pixels."""

ANY_NETWORK = ("precision", "tile")
"""Options for all methods that run a network. All other options are for methods that fit a network."""


def id_suffix(settings: FitSettings) -> str:
    """Return what an output's id gets if there are several stopping criteria, such as ``@fixed:1750``."""
    return f"@{str(settings.stop).replace('.', '_')}"


@dataclass(frozen=True)
class Overrides:
    """Settings that the user changes. None, and no stopping criterion, keep the setting of the method."""

    stops: tuple[str, ...] = ()
    iterations: int | None = None
    average: float | None = None
    precision: str | None = None
    network: str | None = None
    loss: str | None = None
    tile: int | None = None

    def check(self, method: Method) -> None:
        """Check that the method has all settings that the user changes.

        Raises:
            UsageError: It lacks one, or the tiles are too small. The message names the option.
        """
        given = {"stop": self.stops or None} | {name: value for name, value in vars(self).items() if name != "stops"}
        for name, value in given.items():
            if value is not None and method.filter:
                raise UsageError(f"--{name} requires a method with a network, and --method {method} is a filter")
            if value is not None and not method.fits and name not in ANY_NETWORK:
                fits = " or ".join(FITS)
                raise UsageError(f"--{name} requires a deep image prior: choose --method {fits}, not {method}")
        if self.tile and self.tile < SMALLEST_TILE:
            raise UsageError(f"--tile {self.tile}: the smallest tile is {SMALLEST_TILE} pixels; 0 disables tiles")

    def denoiser(self, method: Method) -> DenoiserSettings:
        """Return the settings of a method with a pretrained network.

        Raises:
            UsageError: A name is unknown.
        """
        return replace(settings_of(method), **self._given("precision", "tile"))

    def zero_shot(self) -> ZeroShotSettings:
        """Return the settings of ``zero-shot``.

        Raises:
            UsageError: A name is unknown.
        """
        return replace(ZERO_SHOT, **self._given("precision", "tile"))

    def fits(self, method: Method) -> list[FitSettings]:
        """Return the settings of ``dip`` or ``paper``, one for each stopping criterion.

        For ``fixed``, its number is also the default limit.

        Raises:
            UsageError: A name is unknown, a criterion is given twice, or criteria cannot observe the same fit.
        """
        found = [self._fit(method, stop) for stop in self.stops or (None,)]
        names = [str(settings.stop) for settings in found]
        if twice := [name for name in names if names.count(name) > 1]:
            raise UsageError(f"--stop {twice[0]} is given twice")
        if len({settings.stop.held_out for settings in found}) > 1:
            raise UsageError(
                "--stop held-out hides pixels from the fit, so other criteria cannot observe the same fit: run it alone"
            )
        return found

    def _fit(self, method: Method, stop_name: str | None) -> FitSettings:
        settings = FIT_SETTINGS[method.name]
        stop: StoppingCriterion = parse_criterion(stop_name) if stop_name else settings.stop
        limit = self.iterations or settings.max_iterations
        if isinstance(stop, Fixed):
            stop = Fixed(self.iterations if self.iterations and not stop_name else stop.iterations)
            limit = self.iterations or stop.iterations
        elif not isinstance(stop, HeldOut):
            limit = self.iterations or MAX_ITERATIONS
        changes = self._given("precision", "tile", "network", "loss")
        changes |= {} if self.average is None else {"ema_decay": self.average}
        return replace(settings, stop=stop, max_iterations=limit, **changes)

    def _given(self, *names: str) -> dict[str, Any]:
        return {name: value for name in names if (value := getattr(self, name)) is not None}
