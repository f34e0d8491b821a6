"""Decide whether an existing output is reused, replaced or kept. This is the only place that defines the cache key.

A tool that makes images looks for an earlier output at the path where it would write the new one. It reuses that file
if all of these conditions hold:

1. ``--force`` is not given.
2. The file is an image that can be decoded, and dptools has embedded a record in it.
3. The cache key in that record is that of the new output. It is a hash of the ``id`` and the ``label`` of the record,
   and of the last entry of its ``stages``.
4. If a trace is requested, the image has a readable sidecar with its trace.

The entry of ``stages`` that is hashed holds:

- ``tool``: the name of the tool
- ``version``: the version of dptools
- ``params``: all settings that determine the output, as :meth:`dptools.pipe.stage.Processor.params` returns them
- ``input_sha256``: the hash of the input file
- ``notes``: what was changed while decoding the input, if anything was
- ``seed``: the seed of the run, if the tool uses randomness
- ``output``: the options of the output file, if they are not the default

The ``id`` belongs to the key because the seed of an image is derived from the seed of the run and the ``id``. Other
files that a tool writes, such as those of ``--keep`` and ``--overlay``, are not checked.

The output is computed again, and replaces the file, if the file is empty, or if it was made from the same input with
another key or is damaged. Without ``--force``, the sample fails in the other cases: if the file has no valid record,
because dptools may not have made it, and if it was made from another input. Two files are the same input if they have
the same path or the same content. The embedded record must not contain the path, so it holds a hash of it, relative to
the directory of the output.
"""

import hashlib
import json
import os
from contextlib import suppress
from pathlib import Path

from dptools.errors import SampleError
from dptools.pipe.embedded import FILE
from dptools.pipe.parquet_file import split_row
from dptools.pipe.record import Record
from dptools.pipe.regular_file import is_stream
from dptools.pipe.sample import ExistingOutput, Sample
from dptools.pipe.shard_names import split
from dptools.pipe.sidecar import read_sidecar, sidecar_path


def find_output(path: Path, source: str, traced: bool = False) -> ExistingOutput | None:
    """Return the image file at the path of an output; None if there is none, or if it is empty.

    Args:
        path: The path of an output.
        source: The path of the input.
        traced: Whether a trace was requested.

    Raises:
        OSError: The file cannot be read.
        SampleError: The output would overwrite its input, or the name of its sidecar is too long.
    """
    sidecar = sidecar_path(path) if traced else None
    if not path.is_file():
        return None
    if os.path.exists(source) and path.samefile(source):
        raise SampleError("WriteError", "the output would overwrite its input; name another directory with -o")
    if not (data := path.read_bytes()):
        return None
    sha256 = hashlib.sha256(data).hexdigest()
    return ExistingOutput(_embedded_record(data), sha256, read_sidecar(sidecar) if sidecar else None)


def _embedded_record(data: bytes) -> Record | None:
    """Return the record in an output; None if it has none. That of a damaged image has no cache key."""
    from dptools.pipe.image import decode, embedded_record

    with suppress(SampleError):
        return decode(data).record
    with suppress(SampleError):
        if record := embedded_record(data):
            return {**record, FILE: {**record.get(FILE, {}), "cache_key": None}}
    return None


def is_reusable(output: ExistingOutput, job: Sample, path: Path, traced: bool) -> bool:
    """Return whether an existing output has the cache key of a job, and also a trace if one was requested.

    The module's docstring lists all parts of the key.

    Args:
        output: The existing output.
        job: A sample with a complete entry, which holds the hash of the input, the parameters and the seed.
        path: The path of the output, for error messages.
        traced: Whether a trace was requested.

    Raises:
        SampleError: dptools did not write the output, or made it from another input.
    """
    file = output.record.get(FILE, {}) if output.record else {}
    same_key = file.get("cache_key") == _cache_key(job)
    if not same_key and not output.unfinished:
        check_replaceable(output, job, path)
    return same_key and not (traced and output.trace is None)


def check_replaceable(output: ExistingOutput, sample: Sample, path: Path) -> None:
    """Check that an existing output was made from the input of a sample.

    Args:
        output: The existing output.
        sample: A sample with an entry, or with an entry at the end of ``stages``.
        path: The path of the output, for error messages.

    Raises:
        SampleError: dptools did not write the output, or made it from another input. The message names both.
    """
    if output.record is None:
        raise SampleError("WriteError", f"{path} exists and was not made by dptools; --force replaces it")
    made_from, origin = _last_entry(output.record).get("input_sha256"), output.record.get(FILE, {}).get("origin")
    input_sha256 = (sample.entry or _last_entry(sample.record))["input_sha256"]
    if made_from == input_sha256 or (origin and origin == _origin_hash(made_from, sample.origin)):
        return
    source = output.record.get("source", "an image")
    other = f"{'standard input' if source == '-' else source} (SHA-256 {str(made_from)[:12]}...)"
    raise SampleError(
        "OtherInput",
        f"{path} was made from another input, {other}, not from this one ({input_sha256[:12]}...); "
        "name another directory with -o, or replace it with --force",
    )


def has_file(sample: Sample) -> bool:
    """Return whether an image comes from a file or from a member of a shard, not through a pipe."""
    file, *_ = split(sample.path) or split_row(sample.path) or (sample.path,)
    return file != "-" and not is_stream(file)


def origin(source: str, path: Path) -> str:
    """Return the path of an input file relative to the directory of its output.

    It is the same wherever the files lie, so that equal runs in two places give equal files.

    Args:
        source: The path of the input file.
        path: The path of the output.
    """
    return os.path.relpath(os.path.realpath(source), os.path.realpath(path.parent))


def file_facts(job: Sample) -> Record:
    """Return what the embedded record of an output says about the file: its cache key, and a hash of its origin.

    Args:
        job: A sample with a complete entry.
    """
    hashed = _origin_hash((job.entry or {}).get("input_sha256"), job.origin)
    return {"cache_key": _cache_key(job), **({"origin": hashed} if hashed else {})}


def _cache_key(job: Sample) -> str:
    key = [job.record.get("id"), job.record.get("label"), job.entry]
    return hashlib.sha256(json.dumps(key, sort_keys=True).encode("ascii")).hexdigest()


def _origin_hash(input_sha256: object, path: str | None) -> str | None:
    """Return a hash of the path of an input. The hash of its content serves as salt."""
    if path is None:
        return None
    return hashlib.sha256(f"{input_sha256}:{path}".encode("utf-8", "surrogatepass")).hexdigest()


def _last_entry(record: Record) -> Record:
    entry: Record = (record.get("stages") or [{}])[-1]
    return entry
