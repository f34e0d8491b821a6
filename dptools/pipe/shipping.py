"""Images to workers that share no files with this process, and back."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

from dptools.errors import SampleError
from dptools.pipe.attempt import attempt
from dptools.pipe.cached_files import CachedFileStage
from dptools.pipe.opening import read_image
from dptools.pipe.reuse import look
from dptools.pipe.sample import Sample
from dptools.pipe.sink import write
from dptools.pipe.stage import Engine


def shipping(engine: Engine) -> Engine:
    """The same engine, for workers to which images are carried, and that carry theirs back to be written here."""

    def run(stage: CachedFileStage, samples: Iterable[Sample]) -> Iterator[Sample]:
        load = partial(_loaded, stage=stage)
        for done in engine(stage, (each for sample in samples for each in attempt(load, sample, stage.tool))):
            yield _unloaded(done, stage)

    return run  # type: ignore[return-value]  # every stage that flows here is a Filed one


def _loaded(sample: Sample, stage: CachedFileStage) -> list[Sample]:
    """The sample with its image, and with what is at the places of its outputs already."""
    if sample.finished:
        return [sample]
    data = read_image(sample.path) if sample.encoded is None else sample.encoded
    paths = filter(None, (stage.place(sample.id + end) for end in stage.stage.variants))
    found = {str(path): there for path in paths if (there := look(path, sample.path))}
    return [replace(sample, encoded=data, there=found)]


def _unloaded(sample: Sample, stage: CachedFileStage) -> Sample:
    """The sample with its image in a file."""
    if sample.encoded is None or stage.out is None:
        return sample
    try:
        write(Path(sample.path), sample.encoded, stage.out)
        return Sample(sample.record)
    except SampleError as error:
        return sample.fail(stage.tool, error.kind, error.message)
