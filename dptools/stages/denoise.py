"""dp-denoise: images restored by the deep image prior."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING

from dptools.errors import check_name
from dptools.pipe.record import Record
from dptools.pipe.sample import Sample
from dptools.pipe.stage import ToolStage
from dptools.prior.presets import PRESETS, Preset
from dptools.prior.stopping import Fixed, parse_rule
from dptools.stages.images import to_pixels, to_tensor

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class Denoise(ToolStage):
    """Options of dp-denoise; None leaves a value to the preset."""

    tool = "dp-denoise"
    key = "denoise"

    preset: str = "default"
    stop: str | None = None
    iterations: int | None = None
    average: float | None = None
    precision: str | None = None
    device: str = "auto"
    seed: int = 0

    def load(self) -> "Denoising":
        from dptools.devices import resolve_device

        return Denoising(self, self.settings(), resolve_device(self.device))

    def __post_init__(self) -> None:
        self.settings()  # raises UsageError before any worker starts

    def settings(self) -> Preset:
        """The preset with the user's changes. Of a fixed rule, the most iterations are all."""
        preset = PRESETS[check_name("preset", self.preset, PRESETS)]
        rule = parse_rule(self.stop) if self.stop else preset.rule
        if isinstance(rule, Fixed):
            rule = Fixed(self.iterations if self.iterations and not self.stop else rule.iterations)
            preset = replace(preset, iterations=rule.iterations)
        return replace(
            preset,
            rule=rule,
            iterations=self.iterations or preset.iterations,
            average=preset.average if self.average is None else self.average,
            precision=self.precision or preset.precision,
        )


@dataclass(frozen=True)
class Denoising:
    """dp-denoise at work."""

    options: Denoise
    preset: Preset
    device: "torch.device"

    def expand(self, sample: Sample) -> Iterable[Sample]:
        return [sample]

    def params(self, sample: Sample) -> Record:
        from dptools.prior.precision import effective

        settings = {**asdict(self.preset), "precision": effective(self.device, self.preset.precision)}
        rule = {"name": str(self.preset.rule), **settings["rule"]}
        return {"method": "dip", "preset": self.options.preset, **settings, "rule": rule, "device": self.device.type}

    def __call__(self, samples: Sequence[Sample]) -> Iterable[Sample]:
        return map(self._restore, samples)

    def _restore(self, sample: Sample) -> Sample:
        from dptools.prior import restore

        image = to_tensor(sample, self.device)
        restored = restore(image, self.preset, seed=sample.seed(self.options.seed))
        done = {"step": restored.step, "iterations": restored.iterations, "reason": restored.reason}
        stop = {"rule": str(self.preset.rule), **done}
        psnr = -10 * math.log10(error) if (error := (restored.image - image).square().mean().item()) else None
        found = {"method": "dip", "preset": self.options.preset, "stop": stop, "psnr_input": psnr and round(psnr, 2)}
        return replace(sample.update(denoise=found), pixels=to_pixels(restored.image))
