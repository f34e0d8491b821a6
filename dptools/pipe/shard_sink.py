"""Write the results of a run into a shard, which appears when it is complete.

The images go to a temporary file beside the shard, and the records to another one. At the end of the run, the first
replaces the shard, and the records are written to standard output. A run that is killed leaves its temporary file.
The next run takes finished images from there, and from an older shard of the same name, if they are reusable as
:mod:`dptools.pipe.reuse` defines.
"""

import fcntl
import filecmp
import hashlib
import os
import re
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import IO, BinaryIO

from dptools.errors import SampleError, SetupError, UsageError
from dptools.pipe.attempt import attempt
from dptools.pipe.cached_files import CachedFileStage
from dptools.pipe.forward_file import CHUNK
from dptools.pipe.record import Record
from dptools.pipe.run import put
from dptools.pipe.sample import ExistingOutput, Sample
from dptools.pipe.shard_index import ShardIndex
from dptools.pipe.shard_names import split
from dptools.pipe.shard_writer import ShardWriter
from dptools.pipe.sink import umask
from dptools.pipe.stage import Engine
from dptools.pipe.walk import SUFFIXES

SPOOL = 2**20
"""The number of bytes of records that are held in memory. More of them go to a temporary file."""


@contextmanager
def packed(path: Path, engine: Engine, force: bool, output: BinaryIO) -> Iterator[tuple[Engine, IO[bytes]]]:
    """Yield an engine that writes images into a shard, and a stream for the records.

    Args:
        path: The shard.
        engine: The engine that does the work.
        force: Whether images are made again, and a shard that dptools did not make is replaced.
        output: The stream that gets the records when the shard is complete.

    Raises:
        SetupError: The shard cannot be written, or another run is writing it.
        UsageError: The path holds something that would be lost.
    """
    with _OutputShard(path, force) as shard, tempfile.SpooledTemporaryFile(SPOOL) as records:
        yield partial(shard.run, engine), records
        shard.commit()
        records.seek(0)
        while chunk := records.read(CHUNK):
            put(output, chunk)


class _OutputShard:
    """A shard that is being written.

    Attributes:
        path: The shard, as the user named it.
    """

    def __init__(self, path: Path, force: bool) -> None:
        """Create the temporary file, and open the files of earlier runs.

        Raises:
            SetupError: The shard cannot be written, or another run is writing it.
            UsageError: The path holds something that would be lost.
        """
        self.path, self._force = path, force
        self._target = Path(os.path.realpath(path))
        self._kept = 0
        self._locks = ExitStack()
        with self._locks, self._errors():
            self._target.parent.mkdir(parents=True, exist_ok=True)
            with _locked(self._target.parent):
                self._leftovers = self._lock_leftovers()
                self._old = ShardIndex(self._target.open("rb")) if self._target.exists() else None
                if not force and self._old and not _made_by_dptools(self._old):
                    raise UsageError(f"-o {path}: exists and was not made by dptools; --force replaces it")
                self._file = tempfile.NamedTemporaryFile(  # noqa: SIM115
                    dir=self._target.parent, prefix=self._prefix, suffix=".part", delete=False
                )
                fcntl.flock(self._file, fcntl.LOCK_EX)
            longest = max(self._leftovers, key=lambda file: file.stat().st_size, default=None)
            self._partial = ShardIndex(longest.open("rb")) if longest else None
            self._locks = self._locks.pop_all()
        self._writer = ShardWriter(self._file)  # type: ignore[arg-type]

    def __enter__(self) -> "_OutputShard":
        return self

    def __exit__(self, *_: object) -> None:
        """Close the temporary file. It stays if it holds images and was not renamed."""
        with self._locks, suppress(OSError):
            self._file.close()
        if not self._writer.count:
            Path(self._file.name).unlink(missing_ok=True)

    def run(self, engine: Engine, stage: CachedFileStage, samples: Iterable[Sample]) -> Iterator[Sample]:
        """Run a stage, and write its images."""
        load = partial(self._load, stage=stage)
        for done in engine(stage, (loaded for sample in samples for loaded in attempt(load, sample, stage.tool))):
            yield self._store(done)

    def commit(self) -> None:
        """Replace the shard by the temporary file. If there are no images, an existing shard stays.

        Raises:
            SetupError: The file cannot be written.
            UsageError: The existing shard holds images that this run did not make.
        """
        if not self._writer.count:
            return
        if self._old and not self._force:
            images = sum(name.lower().endswith(SUFFIXES) for name in self._old.names())
            if images > self._kept:
                raise UsageError(
                    f"-o {self.path}: not replaced, because it holds {images - self._kept} other images: remove it or "
                    "name another file, and repeat the command, which reuses what is finished"
                )
        with self._errors():
            self._writer.end()
            self._file.flush()
            os.fsync(self._file.fileno())
            if not self._target.exists() or not filecmp.cmp(self._file.name, self._target, shallow=False):
                os.chmod(self._file.name, 0o666 & ~umask())
                os.replace(self._file.name, self._target)
            for temporary in (Path(self._file.name), *self._leftovers):
                temporary.unlink(missing_ok=True)

    def _load(self, sample: Sample, stage: CachedFileStage) -> list[Sample]:
        """Return the sample with its outputs that earlier runs have made."""
        if sample.finished:
            return [sample]
        parts = split(sample.path)
        if parts and self._target.exists() and os.path.exists(parts[0]) and self._target.samefile(parts[0]):
            raise SampleError("WriteError", "the output would overwrite its input; name another file with -o")
        existing = {}
        for path in (str(stage.output_path(sample.id + suffix, None)) for suffix in stage.options.id_suffixes):
            key = self._key(path)
            if not self._force and (earlier := self._earlier(key)):
                _, existing[path] = earlier
        return [replace(sample, existing=existing)]

    def _store(self, sample: Sample) -> Sample:
        """Write the image of a finished sample, and return the sample without it.

        A skipped sample of this run has an image, too. One of an earlier tool lies elsewhere.
        """
        if not sample.failed and sample.path.startswith(f"{self.path}#"):
            key = self._key(sample.path)
            self._kept += bool(self._old and _read_pair(self._old, key))
            image = sample.encoded
            if image is None and (earlier := self._earlier(key)):
                image, _ = earlier
            with self._errors():
                self._writer.add(key, image, sample.record)
        return Sample(sample.record, reported=sample.reported, trace=sample.trace)

    def _earlier(self, key: str) -> tuple[bytes, ExistingOutput] | None:
        """Return the image that an earlier run has written, and what is known of it; None if there is none."""
        for index in filter(None, (self._partial, self._old)):
            if pair := _read_pair(index, key):
                image, record = pair
                sha256 = hashlib.sha256(image).hexdigest()
                return image, ExistingOutput(record, sha256, unfinished=index is self._partial)
        return None

    def _key(self, path: str) -> str:
        return path[len(str(self.path)) + 1 :].removesuffix(".png")

    @property
    def _prefix(self) -> str:
        return f".{os.fsencode(self._target.name)[:200].decode(errors='ignore')}."

    def _lock_leftovers(self) -> list[Path]:
        """Return the temporary files of killed runs, after locking them.

        Raises:
            SetupError: The run that writes one of them has not ended.
        """
        pattern = rf"{re.escape(self._prefix)}[a-z0-9_]{{8}}\.part"  # the names that tempfile makes
        leftovers = [path for path in self._target.parent.iterdir() if re.fullmatch(pattern, path.name)]
        for leftover in leftovers:
            file = self._locks.enter_context(leftover.open("rb"))
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise SetupError(f"-o {self.path}: another run is writing it") from None
        return leftovers

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise SetupError(f"-o {self.path}: {error.strerror or error}") from error


@contextmanager
def _locked(directory: Path) -> Iterator[None]:
    """Lock a directory, so that only one run at a time looks for the files of other runs and creates its own."""
    handle = os.open(directory, os.O_RDONLY)
    try:
        with suppress(OSError):  # some network file systems cannot lock directories
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _made_by_dptools(index: ShardIndex) -> bool:
    """Return whether the first image or record in a shard belongs to a sample that dptools has written."""
    first = next(index.names(), None)
    return first is not None and _read_pair(index, os.path.splitext(first)[0]) is not None


def _read_pair(index: ShardIndex, key: str) -> tuple[bytes, Record] | None:
    """Return the image of a key and the record inside of the image; None if one is missing or damaged."""
    from dptools.pipe.image import embedded_record

    image = index.read(f"{key}.png")
    try:
        record = embedded_record(image) if image is not None else None
    except SampleError:
        return None
    return (image, record) if image is not None and record is not None else None
