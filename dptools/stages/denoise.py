"""dp-denoise: images restored by the deep image prior, or by a filter to compare it with."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING

from dptools.errors import UsageError, check_name
from dptools.filters import Filter, parse_filter
from dptools.pipe.record import Record
from dptools.pipe.sample import Sample
from dptools.pipe.stage import Tool, ToolStage
from dptools.prior.presets import LOSS_NAMES, NETWORK_NAMES, PRESETS, Preset
from dptools.prior.rules import parse_rule
from dptools.prior.stopping import Fixed, HeldOut
from dptools.stages.images import to_pixels, to_tensor

if TYPE_CHECKING:
    import torch

MOST = 3000
"""Iterations at the most for the rules of other papers: as many as the Deep Protection paper allows, section 3.1."""


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
    network: str | None = None
    loss: str | None = None
    device: str = "auto"
    seed: int | None = 0
    method: str = "dip"

    def load(self) -> Tool:
        if self.method != "dip":
            return Filtering(parse_filter(self.method))
        from dptools.devices import resolve_device

        return Denoising(self, self.settings(), resolve_device(self.device))

    def __post_init__(self) -> None:
        self.settings()  # raises UsageError before any worker starts
        if self.method != "dip":
            parse_filter(self.method)
            changed = {"--stop": self.stop, "--iterations": self.iterations, "--average": self.average}
            fit = {"--precision": self.precision, "--network": self.network, "--loss": self.loss}
            for option, value in {**changed, **fit}.items():
                if value is not None:
                    raise UsageError(f"{option} is for the prior, and --method {self.method} is none")

    def settings(self) -> Preset:
        """The preset with the user's changes. Of a fixed rule, the most iterations are all."""
        preset = PRESETS[check_name("preset", self.preset, PRESETS)]
        rule = parse_rule(self.stop) if self.stop else preset.rule
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
            network=check_name("network", self.network or preset.network, NETWORK_NAMES),
            loss=check_name("loss", self.loss or preset.loss, LOSS_NAMES),
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
        restored = restore(image, self.preset, seed=sample.seed(self.options.seed or 0))
        done = {"step": restored.step, "iterations": restored.iterations, "reason": restored.reason}
        stop = {"rule": str(self.preset.rule), **done}
        psnr = _psnr((restored.image - image).square().mean().item())
        found = {"method": "dip", "preset": self.options.preset, "stop": stop, "psnr_input": psnr}
        return replace(sample.update(denoise=found), pixels=to_pixels(restored.image))


@dataclass(frozen=True)
class Filtering:
    """dp-denoise with a filter in the prior's place."""

    filter: Filter

    def expand(self, sample: Sample) -> Iterable[Sample]:
        return [sample]

    def params(self, sample: Sample) -> Record:
        return {"method": str(self.filter)}

    def __call__(self, samples: Sequence[Sample]) -> Iterable[Sample]:
        from dptools.filters import apply

        for sample in samples:
            assert sample.pixels is not None
            filtered = apply(self.filter, sample.pixels)
            psnr = _psnr(float(((filtered / 255.0 - sample.pixels / 255.0) ** 2).mean()))
            yield replace(sample.update(denoise={"method": str(self.filter), "psnr_input": psnr}), pixels=filtered)


def _psnr(error: float) -> float | None:
    """In dB, of a mean squared error on the [0, 1] scale; None where there is none."""
    return round(-10 * math.log10(error), 2) if error else None
