"""How many threads a process computes with."""

import os


def one_thread() -> None:
    """One thread a process, set before the first import of torch: faster with a process a core, and equal bytes."""
    for variable in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ[variable] = "1"
