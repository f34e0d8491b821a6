"""The inline engine: run a stage in this process. For one image, a second process would only add its start-up time."""

import contextlib
import sys
from collections.abc import Iterable, Iterator

from dptools.engine.worker_setup import limit_torch_to_one_thread
from dptools.pipe.sample import Sample
from dptools.pipe.stage import Stage


def inline(stage: Stage, samples: Iterable[Sample]) -> Iterator[Sample]:
    """Run the stage in this process, one sample after another.

    Output that libraries print is sent to standard error, because standard output holds the results.

    Args:
        stage: The stage. It is built when the first sample arrives that is not finished.
        samples: The input.

    Yields:
        The finished samples, in the order of the input.
    """
    limit_torch_to_one_thread()
    worker = None
    for sample in samples:
        if sample.finished:
            yield sample
            continue
        with contextlib.redirect_stdout(sys.stderr):
            worker = worker or stage.build()
            finished = list(worker([sample]))
        yield from finished
