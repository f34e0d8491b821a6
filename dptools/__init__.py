"""Deep Protection: purify adversarial images before they are classified.

The folders. The first four import only folders below them, and engine/ and pipe/ import none of the last seven:

    tools/         the five tools: their options, and conversion between records and tensors
    cli/           code that the command lines share
    engine/        where a stage runs: in this process, in workers, on a Ray cluster
    pipe/          samples, sources, sinks, and the loop that runs every tool
    purifiers/     image -> purified image
    detection/     image -> suspicion score
    classifiers/   image -> class scores
    certify/       image -> class and radius that no attack can change
    attacks/       image -> adversarial image
    evaluation/    records -> rates, intervals, figures, reports
    maps/          map -> mask and words of its text

The last seven form a library that works on tensors and plain values and does not import the pipe:

>>> purify = dptools.purifiers.load("denoiser")  # a torch.nn.Module
"""

from importlib import import_module
from types import ModuleType

_LIBRARIES = ("attacks", "certify", "classifiers", "detection", "evaluation", "maps", "purifiers")


def __getattr__(name: str) -> str | ModuleType:
    """Return the version, or import a library (PEP 562), so that ``import dptools`` is fast."""
    if name == "__version__":
        from importlib.metadata import version

        return version("deep-protection")
    if name in _LIBRARIES:
        return import_module(f"dptools.{name}")
    raise AttributeError(f"module 'dptools' has no attribute {name!r}")
