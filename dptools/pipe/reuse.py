"""Find out whether an output exists already."""

import hashlib
import os
from pathlib import Path

from dptools.errors import SampleError
from dptools.pipe.sample import ExistingOutput, Sample
from dptools.pipe.sidecar import read_sidecar, sidecar_path


def find_output(path: Path, source: str, traced: bool = False) -> ExistingOutput | None:
    """Return the image file at a path; None if there is none, or if it is damaged.

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
    except SampleError:
        return None
    return ExistingOutput(record, hashlib.sha256(data).hexdigest(), read_sidecar(sidecar) if sidecar else None)


def is_output_of(output: ExistingOutput, job: Sample, path: Path) -> bool:
    """Return whether an existing output was made from the same input, with the same parameters and seed.

    The id is compared because an image's seed depends on it.

    Args:
        output: The existing output.
        job: A sample whose entry names the hash of the input, the parameters and the seed.
        path: The path of the output.

    Raises:
        SampleError: dptools did not write the output.
    """
    if output.record is None:
        raise SampleError("WriteError", f"{path} exists and was not made by dptools; --force replaces it")
    same_sample = all(output.record.get(name) == job.record.get(name) for name in ("id", "label"))
    return same_sample and (output.record.get("stages") or [None])[-1] == job.entry
