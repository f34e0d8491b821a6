"""Measure the disagreement scores of clean images, and write them to a calibration file."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dptools.detection.calibration import measure
from dptools.pipe.record import Record
from dptools.pipe.run import Emit
from dptools.pipe.sample import Sample
from dptools.pipe.trace import replaced


@contextmanager
def calibrating(emit: Emit, path: Path) -> Iterator[Emit]:
    """Yield an emitter that also collects the disagreement score of each sample, and write the file at the end.

    Args:
        emit: The emitter that writes the samples.
        path: The calibration file; it is replaced if all went well.

    Raises:
        DptoolsError: There are too few images.
        SetupError: The file cannot be written.
    """
    scores: list[float] = []
    params: Record = {}
    with replaced(path) as file:

        def emit_collected(sample: Sample) -> None:
            if not sample.finished:
                scores.append(sample.record["suspect"]["disagreement"])
                params.update(sample.record["stages"][-1]["params"])
            emit(sample)

        yield emit_collected
        detector = params.pop("suspect", {})
        params.pop("top_k", None)
        file.write(measure(scores, params, detector).encode())
