"""Send images to workers that do not share files with this process, and write what they send back."""

import io
from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

from dptools.pipe.attempt import attempt
from dptools.pipe.cached_files import CachedFileStage
from dptools.pipe.file_formats import FileInfo
from dptools.pipe.opening import read_encoded
from dptools.pipe.reuse import has_file, origin
from dptools.pipe.sample import Sample
from dptools.pipe.shard_names import is_output_shard
from dptools.pipe.stage import Engine


def shipping(engine: Engine) -> Engine:
    """Return an engine that reads and writes all image files in this process, so its workers need no access to them.

    Args:
        engine: The engine whose workers do not share files with this process.
    """

    def run(stage: CachedFileStage, samples: Iterable[Sample]) -> Iterator[Sample]:
        load = partial(_load, stage=stage)
        for done in engine(stage, (loaded for sample in samples for loaded in attempt(load, sample, stage.tool))):
            yield _save(done, stage)

    return run  # type: ignore[return-value]  # it needs a CachedFileStage; all image tools pass one


def _load(sample: Sample, stage: CachedFileStage) -> list[Sample]:
    """Return the sample with the bytes of its image file, and with the outputs that already exist."""
    if sample.finished:
        return [sample]
    data = read_encoded(sample)
    info = _info(data, stage)
    paths = list(filter(None, (stage.output_path(sample.id + variant, info) for variant in stage.options.id_suffixes)))
    relative = origin(sample.path, paths[0]) if paths and has_file(sample) else None
    existing = sample.existing  # the writer of a shard has looked for them
    if existing is None:
        existing = {str(path): output for path in paths if (output := stage.find_output(path, sample))}
    return [replace(sample, encoded=data, extent=None, existing=existing, origin=relative)]


def _info(data: bytes, stage: CachedFileStage) -> FileInfo | None:
    """Return the format of an image file, if the names of outputs depend on it."""
    if stage.file.format.name != "same":
        return None
    from dptools.pipe.image import kind_of_file

    return kind_of_file(io.BytesIO(data))


def _save(sample: Sample, stage: CachedFileStage) -> Sample:
    """Write the image and the trace that a worker sent, and return the sample without its image."""
    if sample.encoded is None or stage.out is None or is_output_shard(stage.out):
        return sample
    (saved,) = attempt(partial(_write, done=sample, stage=stage), Sample(sample.input or {}), stage.tool)
    return saved


def _write(_: Sample, done: Sample, stage: CachedFileStage) -> list[Sample]:
    assert done.encoded is not None
    stage.write(Path(done.path), done, done.encoded)
    return [Sample(done.record, trace=done.trace)]
