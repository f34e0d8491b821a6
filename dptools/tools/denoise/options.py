"""The options of dp-denoise."""

from dataclasses import dataclass, field, replace
from pathlib import Path

from dptools.classifiers.names import ClassifierOptions, is_service
from dptools.errors import UsageError
from dptools.pipe.stage import Processor, ToolOptions
from dptools.purifiers.dip.stopping_literature import Oracle
from dptools.purifiers.method import DEFAULT, FITS, Method, parse_method
from dptools.tools.denoise.gate import Gate
from dptools.tools.denoise.overrides import Overrides, id_suffix
from dptools.tools.denoise.tracing import TraceOptions


@dataclass(frozen=True)
class DenoiseOptions(ToolOptions):
    """Options of dp-denoise.

    Attributes:
        method: The name of a method, with its value.
        overrides: Settings of the method that the user changes.
        tracing: What to record during a fit.
        device: The device to compute on.
        seed_given: The seed of the run.
        if_suspect: The smallest calibrated score of images that are purified; None to purify all.
    """

    tool = "dp-denoise"
    key = "denoise"
    gpu_batch = 16

    method: str = DEFAULT
    overrides: Overrides = field(default_factory=Overrides)
    tracing: TraceOptions = field(default_factory=TraceOptions)
    device: str = "auto"
    seed_given: int = 0
    if_suspect: float | None = None

    def __post_init__(self) -> None:
        """Check the options before any worker starts.

        Raises:
            UsageError: A name is unknown, or the options cannot be combined.
        """
        method, tracing = self.chosen, self.tracing
        self.overrides.check(method)
        if not method.fits:
            for option in (name for name in ("trace", "keep", "model") if getattr(tracing, name) is not None):
                fits = " or ".join(FITS)
                raise UsageError(f"--{option} requires a deep image prior: choose --method {fits}, not {method}")
            if method.optimised:
                self.overrides.zero_shot()
            elif not method.filter:
                self.overrides.denoiser(method)
            self._check_classifier(oracle=False)
            return
        settings = self.overrides.fits(method)
        oracle = any(isinstance(each.stop, Oracle) for each in settings)
        if self.if_suspect is not None and len(settings) > 1:
            raise UsageError("--if-suspect takes one --stop, because an image below the threshold has one output")
        if oracle and tracing.model is None:
            raise UsageError("--stop oracle needs a classifier: add --model NAME")
        if tracing.keep and tracing.keep.is_file():
            raise UsageError(f"--keep {tracing.keep}: this is a file; name a directory")
        self._check_classifier(oracle)

    @property
    def chosen(self) -> Method:
        """The purification method."""
        return parse_method(self.method)

    @property
    def seed(self) -> int | None:
        return None if self.chosen.filter else self.seed_given

    @property
    def trace(self) -> Path | None:
        return self.tracing.trace

    @property
    def extra_directories(self) -> tuple[Path, ...]:
        return (self.tracing.keep,) if self.tracing.keep else ()

    @property
    def unbatched(self) -> bool:
        return self.chosen.optimised or is_service(self.tracing.model or "")  # trained one after another anyway

    @property
    def id_suffixes(self) -> tuple[str, ...]:
        if not self.chosen.fits or len(self.overrides.stops) < 2:
            return ("",)
        return tuple(map(id_suffix, self.overrides.fits(self.chosen)))

    @property
    def uses_gpu(self) -> bool:
        return self.chosen.filter is None

    def load(self) -> Processor:
        processor, method = self._load(), self.chosen
        if self.if_suspect is None:
            return processor
        name = f"{method} {self.overrides.fits(method)[0].stop}" if method.fits else str(method)
        return Gate(processor, name, self.if_suspect)

    def _load(self) -> Processor:
        method = self.chosen
        if method.filter:
            from dptools.tools.denoise.filtering import FilterProcessor

            return FilterProcessor(method.filter)
        from dptools.devices import exact_arithmetic, resolve_device

        exact_arithmetic()
        device = resolve_device(self.device)
        if method.optimised and not method.fits:
            from dptools.purifiers.zero_shot.purifier import ZeroShot
            from dptools.tools.denoise.zero_shot import ZeroShotProcessor

            return ZeroShotProcessor(ZeroShot(self.overrides.zero_shot()), device, self.seed_given)
        if not method.fits:
            from dptools.purifiers.denoiser.purifier import Denoiser
            from dptools.tools.denoise.denoising import DenoiserProcessor

            purifier = Denoiser(self.overrides.denoiser(method)).to(device)
            return DenoiserProcessor(str(method), purifier, device, self.seed_given)
        from dptools.tools.denoise.fitting import FitProcessor

        settings, classifier = self.overrides.fits(method), self.tracing.classifier(self.device)
        # Every trace has a point: no fit with a fixed number of iterations ends before the first one.
        shortest = min(
            min(each.max_iterations, getattr(each.stop, "iterations", each.max_iterations)) for each in settings
        )
        tracing = replace(self.tracing, every=min(self.tracing.every, shortest))
        return FitProcessor(method.name, tuple(settings), device, self.seed_given, tracing, classifier)

    def _check_classifier(self, oracle: bool) -> None:
        """Check that options of a classifier come with ``--model``, and that something uses the classifier."""
        tracing = self.tracing
        if tracing.model is None and (tracing.given != ClassifierOptions() or tracing.labels.given is not None):
            raise UsageError(
                "--weights, --classes, --size, --resize, --mean, --std, --endpoint, --timeout and --label need a "
                "classifier: add --model NAME"
            )
        if tracing.model and not tracing and not oracle:
            raise UsageError(
                "--model has no effect without --stop oracle, --trace or --keep: nothing else uses a classifier"
            )
