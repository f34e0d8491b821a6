"""dp-mapsext: the text of a map as a mask, from the residual of an early image prior."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING

from dptools.errors import check_name
from dptools.maps.residual import RULES, text_mask
from dptools.pipe.record import Record
from dptools.pipe.sample import Sample
from dptools.pipe.stage import ToolStage
from dptools.prior.presets import Preset
from dptools.prior.stopping import Fixed
from dptools.stages.images import to_tensor

if TYPE_CHECKING:
    import numpy as np
    import torch
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Mapsext(ToolStage):
    """Options of dp-mapsext."""

    tool = "dp-mapsext"
    key = "mapsext"

    rule: str = "paper"
    iterations: int = 30
    device: str = "auto"
    seed: int = 0

    def __post_init__(self) -> None:
        check_name("rule", self.rule, RULES)

    @property
    def prior(self) -> Preset:
        """The early prior: background and roads, and no text yet."""
        return Preset("small", "mse", Fixed(self.iterations), average=0.9, iterations=self.iterations)

    def load(self) -> "Mapping":
        from dptools.devices import resolve_device

        return Mapping(self, resolve_device(self.device))


@dataclass(frozen=True)
class Mapping:
    """dp-mapsext at work."""

    options: Mapsext
    device: "torch.device"

    def expand(self, sample: Sample) -> Iterable[Sample]:
        return [sample]

    def params(self, sample: Sample) -> Record:
        from dptools.prior.precision import effective

        precision = effective(self.device, self.options.prior.precision)
        settings = {**asdict(self.options.prior), "precision": precision, "device": self.device.type}
        return {"rule": self.options.rule, "prior": settings}

    def __call__(self, samples: Sequence[Sample]) -> Iterable[Sample]:
        return map(self._extract, samples)

    def _extract(self, sample: Sample) -> Sample:
        from dptools.prior import restore

        image = to_tensor(sample, self.device)
        prior = restore(image, self.options.prior, seed=sample.seed(self.options.seed)).image
        mask = text_mask(_array(image), _array(prior), self.options.rule)
        found = {
            "rule": self.options.rule,
            "step": self.options.iterations,
            "coverage": round(float((mask > 0).mean()), 4),
        }
        return replace(sample.update(mapsext=found), pixels=mask[:, :, None].repeat(3, axis=2))


def _array(image: "torch.Tensor") -> "NDArray[np.float32]":
    array: NDArray[np.float32] = image[0].permute(1, 2, 0).cpu().numpy()
    return array
