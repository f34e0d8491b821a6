"""ONNX Runtime without its telemetry."""

import os
from typing import Any


def import_onnxruntime() -> Any:
    """Return the module ``onnxruntime``.

    Its telemetry would store an id of the machine in the home directory and look up hosts. It is disabled at the first
    import in the process, unless the environment already contains ``ORT_DISABLE_TELEMETRY``.
    """
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
    import onnxruntime

    return onnxruntime
