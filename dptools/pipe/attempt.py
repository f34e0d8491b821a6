"""Run one step on one sample, and turn its failure into an error record."""

import os
from collections.abc import Callable

from dptools.devices import out_of_memory
from dptools.errors import DptoolsError, SampleError
from dptools.pipe.sample import Sample


def attempt(step: Callable[[Sample], list[Sample]], sample: Sample, tool: str) -> list[Sample]:
    """Return the results of a step on one sample, or the sample as an error record if the step fails.

    Args:
        step: The function to call.
        sample: Its argument.
        tool: The name of the tool, for the error record.

    Raises:
        DptoolsError: The step raised a DptoolsError that is not a :class:`SampleError`. It concerns the whole run.
        Exception: The error is unexpected, and the environment variable DPTOOLS_DEBUG is set.
    """
    try:
        return step(sample)
    except SampleError as error:
        return [sample.fail(tool, error.kind, error.message)]
    except DptoolsError:
        raise
    except OSError as error:
        return [sample.fail(tool, type(error).__name__, explain(error, sample.path))]
    except Exception as error:
        if out_of_memory(error):
            return [sample.fail(tool, "OutOfMemory", "out of memory: the image is too large")]
        if os.environ.get("DPTOOLS_DEBUG"):
            raise
        kind = type(error).__name__
        return [sample.fail(tool, kind, f"unexpected {kind}: {error}")]


def explain(error: OSError, path: str) -> str:
    """Return why a file cannot be read, with a hint if the path is probably a mistake."""
    reason = error.strerror or str(error)
    if isinstance(error, FileNotFoundError) and path.lower().startswith(("http://", "https://", "ftp://")):
        return f"{reason}: URLs are not read; download the image first"
    if isinstance(error, FileNotFoundError) and path.endswith("\r"):
        return f"{reason}: the name ends in a carriage return; convert the list of files with tr -d '\\r'"
    return reason
