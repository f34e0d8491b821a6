"""dp-denoise: images restored by the deep image prior, or by a filter to compare it with."""

from dataclasses import dataclass, field, replace
from pathlib import Path

from dptools.classifiers.names import ClassifierOptions, is_service
from dptools.errors import UsageError, check_name
from dptools.pipe.stage import Processor, ToolOptions
from dptools.purifiers.dip.networks import NETWORKS
from dptools.purifiers.dip.presets import LOSS_NAMES, PRESETS, Preset
from dptools.purifiers.dip.published import Oracle
from dptools.purifiers.dip.rules import parse_rule
from dptools.purifiers.dip.stopping import Fixed, HeldOut, StoppingCriterion
from dptools.purifiers.filters import parse_filter
from dptools.tools.denoise.gate import Gate
from dptools.tools.denoise.tracing import TraceOptions

MOST = 3000
"""Iterations at the most for the rules of other papers: as many as the Deep Protection paper allows, section 3.1."""


SMALLEST = 64
"""Pixels of a tile's side."""


@dataclass(frozen=True)
class Overrides:
    """What the user wants otherwise than the preset has it; None where nothing."""

    stop: str | None = None
    iterations: int | None = None
    average: float | None = None
    precision: str | None = None
    network: str | None = None
    loss: str | None = None
    tile: int | None = None

    def settings(self, name: str) -> Preset:
        """The preset of this name with the changes. Of a fixed rule, the most iterations are all.

        Raises:
            UsageError: a name is unknown, the tiles are too small, or a change is for a fit where none takes place.
        """
        if self.tile and self.tile < SMALLEST:
            raise UsageError(f"--tile {self.tile}: tiles have {SMALLEST} pixels or more a side; 0 is for none")
        preset = PRESETS[check_name("preset", name, PRESETS)]
        network = check_name("network", self.network or preset.network, NETWORKS)
        loss = check_name("loss", self.loss or preset.loss, LOSS_NAMES)
        rule = parse_rule(self.stop) if self.stop else preset.rule
        if not preset.learning_rate:
            self._check_unfitted(name, preset, rule)
        if isinstance(rule, Fixed):
            rule = Fixed(self.iterations if self.iterations and not self.stop else rule.iterations)
            preset = replace(preset, iterations=rule.iterations)
        elif not isinstance(rule, HeldOut):  # others take long to be sure
            preset = replace(preset, iterations=MOST)
        return replace(
            preset,
            rule=rule,
            iterations=self.iterations or preset.iterations,
            average=preset.average if self.average is None else self.average,
            precision=self.precision or preset.precision,
            network=network,
            loss=loss,
            tile=preset.tile if self.tile is None else self.tile,
        )

    def _check_unfitted(self, name: str, preset: Preset, rule: StoppingCriterion) -> None:
        changes = {
            f"--network {self.network}": self.network not in (None, preset.network),
            f"--loss {self.loss}": self.loss is not None,
            f"--stop {self.stop}": not isinstance(rule, Fixed),
        }
        for change in (change for change, made in changes.items() if made):
            fitting = " or ".join(other for other, settings in PRESETS.items() if settings.learning_rate)
            raise UsageError(f"{change} is for a fit, and preset {name} fits nothing: choose --preset {fitting}")


@dataclass(frozen=True)
class DenoiseOptions(ToolOptions):
    """Options of dp-denoise."""

    tool = "dp-denoise"
    key = "denoise"
    gpu_batch = 16

    preset: str = "default"
    changes: Overrides = field(default_factory=Overrides)
    looking: TraceOptions = field(default_factory=TraceOptions)
    device: str = "auto"
    seed: int | None = 0
    method: str = "dip"
    if_suspect: float | None = None

    def __post_init__(self) -> None:
        """Raises:
        UsageError: options that do not go together, before any worker starts.
        """
        if self.method != "dip":
            parse_filter(self.method)
            for option in self._of_the_prior():
                raise UsageError(f"--{option} is for the prior, and --method {self.method} is none")
        settings = self.changes.settings(self.preset)
        if isinstance(settings.rule, Oracle) and self.looking.model is None:
            raise UsageError("--stop oracle asks a classifier: name it with --model")
        if self.looking.keep and self.looking.keep.is_file():
            raise UsageError(f"--keep {self.looking.keep}: a file, where a directory is meant")
        if self.looking.model is None and (
            self.looking.given != ClassifierOptions() or self.looking.labels.given is not None
        ):
            raise UsageError("--weights, --endpoint, --timeout and --label are for the classifier that --model names")
        if self.looking.model and not self.looking and not isinstance(settings.rule, Oracle):
            raise UsageError("--model is for --stop oracle, --trace or --keep: nothing else asks a classifier")

    @property
    def trace(self) -> Path | None:
        return self.looking.trace

    @property
    def directories(self) -> tuple[Path, ...]:
        return (self.looking.keep,) if self.looking.keep else ()

    @property
    def alone(self) -> bool:
        return is_service(self.looking.model or "")

    def load(self) -> Processor:
        tool = self._load()
        if self.if_suspect is None:
            return tool
        name = self.method if self.method != "dip" else f"{self.preset} {self.changes.settings(self.preset).rule}"
        return Gate(tool, name, self.if_suspect)

    def _load(self) -> Processor:
        if self.method != "dip":
            from dptools.tools.denoise.filtering import FilterProcessor

            return FilterProcessor(parse_filter(self.method))
        import dptools.purifiers.dip.restoration  # noqa: F401  # here, and not in the time of the first image
        from dptools.devices import exact_arithmetic, resolve_device
        from dptools.tools.denoise.restoring import Restoring

        exact_arithmetic()
        settings, classifier = self.changes.settings(self.preset), self.looking.classifier(self.device)
        looking = replace(self.looking, every=min(self.looking.every, settings.iterations))
        return Restoring(self.preset, settings, resolve_device(self.device), self.seed or 0, looking, classifier)

    def _of_the_prior(self) -> list[str]:
        """Options given that only the prior has."""
        looking = {"trace": self.looking.trace, "keep": self.looking.keep, "model": self.looking.model}
        return [name for name, value in {**vars(self.changes), **looking}.items() if value is not None]
