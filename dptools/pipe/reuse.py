"""Decide whether an existing output is reused. This is the only place that defines the cache key.

A tool that makes images looks for an earlier output at the path where it would write the new one. It reuses that file
if all of these conditions hold:

1. ``--force`` is not given.
2. The file is an image that can be decoded, and dptools has embedded a record in it.
3. The cache key is the same: the ``id`` and the ``label`` of the record, and the last entry of its ``stages``.
4. If a trace is requested, the image has a readable sidecar with its trace.

The entry of ``stages`` that is compared holds:

- ``tool``: the name of the tool
- ``version``: the version of dptools
- ``params``: all settings that determine the output, as :meth:`dptools.pipe.stage.Processor.params` returns them
- ``input_sha256``: the hash of the input file
- ``notes``: choices made while decoding the input, if there are any
- ``seed``: the seed of the run, if the tool uses randomness

The ``id`` belongs to the key because the seed of an image is derived from the seed of the run and the ``id``. Other
files that a tool writes, such as those of ``--keep`` and ``--overlay``, are not checked.

Without ``--force``, the sample fails if the file has no valid record, because dptools may not have made it. The output
is computed again, and replaces the file, if the file is empty or a damaged image, or if its key differs.
"""

import hashlib
import os
from pathlib import Path

from dptools.errors import SampleError
from dptools.pipe.sample import ExistingOutput, Sample
from dptools.pipe.sidecar import read_sidecar, sidecar_path

DAMAGED = ("EmptyFile", "DamagedImage")
"""The kinds of errors that show that an output is damaged. Other undecodable files are treated as the user's own."""


def find_output(path: Path, source: str, traced: bool = False) -> ExistingOutput | None:
    """Return the image file at the path of an output; None if there is none, or if it is empty or damaged.

    Args:
        path: The path of an output.
        source: The path of the input.
        traced: Whether a trace was requested.

    Raises:
        OSError: The file cannot be read.
        SampleError: The output would overwrite its input, or the name of its sidecar is too long.
    """
    from dptools.pipe.image import decode

    sidecar = sidecar_path(path) if traced else None
    if not path.is_file():
        return None
    if os.path.exists(source) and path.samefile(source):
        raise SampleError("WriteError", "the output would overwrite its input; name another directory with -o")
    data = path.read_bytes()
    try:
        record = decode(data).record
    except SampleError as error:
        if error.kind in DAMAGED:
            return None
        record = None
    return ExistingOutput(record, hashlib.sha256(data).hexdigest(), read_sidecar(sidecar) if sidecar else None)


def is_reusable(output: ExistingOutput, job: Sample, path: Path, traced: bool) -> bool:
    """Return whether an existing output has the cache key of a job, and also a trace if one was requested.

    The module's docstring lists all parts of the key.

    Args:
        output: The existing output.
        job: A sample with a complete entry, which holds the hash of the input, the parameters and the seed.
        path: The path of the output, for error messages.
        traced: Whether a trace was requested.

    Raises:
        SampleError: dptools did not write the output.
    """
    if output.record is None:
        raise SampleError("WriteError", f"{path} exists and was not made by dptools; --force replaces it")
    same_sample = all(output.record.get(name) == job.record.get(name) for name in ("id", "label"))
    same_entry = (output.record.get("stages") or [None])[-1] == job.entry
    return same_sample and same_entry and not (traced and output.trace is None)
