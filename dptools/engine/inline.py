"""In this process, one sample after the other: for a single image, where a second process only costs its start."""

import contextlib
import sys
from collections.abc import Iterable, Iterator

from dptools.engine.threads import one_thread
from dptools.pipe.sample import Sample
from dptools.pipe.stage import Stage


def inline(stage: Stage, samples: Iterable[Sample]) -> Iterator[Sample]:
    """Run the stage here; what a library prints goes to standard error, since standard output holds results."""
    one_thread()
    worker = None
    for sample in samples:
        with contextlib.redirect_stdout(sys.stderr):
            worker = worker or stage.build()
            done = list(worker([sample]))
        yield from done
