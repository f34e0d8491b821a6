"""Where a Stage runs. An engine turns samples into finished samples and knows nothing of what is done to them."""

from collections.abc import Iterable, Iterator
from typing import Protocol

from dptools.pipe.sample import Sample
from dptools.pipe.stage import Stage


class Engine(Protocol):
    def __call__(self, stage: Stage, samples: Iterable[Sample]) -> Iterator[Sample]:
        """Run the stage over the samples; results come as soon as they and those before them are there."""
