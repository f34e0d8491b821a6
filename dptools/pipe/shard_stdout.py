"""Write a shard to standard output: each sample as soon as it is finished, so that the next tool need not wait."""

from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import BinaryIO

from dptools.errors import SampleError, SetupError
from dptools.pipe.cached_files import CachedFileStage
from dptools.pipe.sample import Sample
from dptools.pipe.shard_names import key_of
from dptools.pipe.shard_writer import ShardWriter
from dptools.pipe.stage import Engine


@contextmanager
def streamed(engine: Engine, output: BinaryIO) -> Iterator[Engine]:
    """Yield an engine that writes its results as a shard. A run that fails writes no end mark.

    Args:
        engine: The engine that does the work.
        output: Standard output.
    """
    writer = ShardWriter(output)
    yield partial(_run, engine, writer, output)
    with _errors():
        writer.end()
        output.flush()


def _run(
    engine: Engine, writer: ShardWriter, output: BinaryIO, stage: CachedFileStage, samples: Iterable[Sample]
) -> Iterator[Sample]:
    counts: Counter[str] = Counter()
    for done in engine(stage, (replace(sample, existing={}) for sample in samples)):
        with _errors():
            writer.add(_key(done, counts), None if done.finished else done.encoded, done.record)
            output.flush()
        yield Sample(done.record, reported=done.reported, trace=done.trace)


def _key(sample: Sample, counts: Counter[str]) -> str:
    """Return the key of a sample. That of a failed or skipped one ends in a suffix, so that it is no other sample's.

    Args:
        sample: The sample.
        counts: The number of failed and skipped samples by key, which is updated.
    """
    try:
        key = key_of(sample.id)
    except SampleError:
        key = "unnamed"
    if not sample.finished:
        return key
    key += ".error" if sample.failed else ".skipped"
    counts[key] += 1
    return key if counts[key] == 1 else f"{key}-{counts[key]}"


@contextmanager
def _errors() -> Iterator[None]:
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        raise SetupError(f"write error: {error.strerror}") from error
