"""One sample's step, whose failure is that sample's own."""

import os
from collections.abc import Callable

from dptools.devices import out_of_memory
from dptools.errors import DptoolsError, SampleError
from dptools.pipe.sample import Sample


def attempt(step: Callable[[Sample], list[Sample]], sample: Sample, tool: str) -> list[Sample]:
    """Run a step on one sample; whatever is wrong with it goes into its record.

    Raises:
        DptoolsError: something is wrong with the whole run.
    """
    try:
        return step(sample)
    except SampleError as error:
        return [sample.fail(tool, error.kind, error.message)]
    except DptoolsError:
        raise
    except OSError as error:
        return [sample.fail(tool, type(error).__name__, error.strerror or str(error))]
    except Exception as error:
        if out_of_memory(error):
            return [sample.fail(tool, "OutOfMemory", "too large for the memory at hand")]
        if os.environ.get("DPTOOLS_DEBUG"):
            raise
        kind = type(error).__name__
        return [sample.fail(tool, kind, f"unexpected {kind}: {error}")]
