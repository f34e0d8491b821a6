"""Deep Protection: purify adversarial images before they are classified.

The folders, each of which knows only those below it:

    tools/         the five tools: options, and the code between records and tensors
    cli/           what all command lines share
    engine/        where a stage runs: in this process, in workers, on a Ray cluster
    pipe/          samples, sources, sinks, and the loop that runs every tool
    purifiers/     image -> purified image
    detection/     how suspicious an image is
    classifiers/   image -> class scores
    attacks/       image -> adversarial image
    evaluation/    records -> rates, intervals, figures, reports
    maps/          map -> mask and words of its text

The last six are a library on tensors and plain values, which does not know the pipe:

>>> purify = dptools.purifiers.load("denoiser")  # a torch.nn.Module
"""

from importlib import import_module
from types import ModuleType

_LIBRARIES = ("attacks", "classifiers", "detection", "evaluation", "maps", "purifiers")


def __getattr__(name: str) -> str | ModuleType:
    """Return the version, or import a library (PEP 562), so that ``import dptools`` is fast."""
    if name == "__version__":
        from importlib.metadata import version

        return version("deep-protection")
    if name in _LIBRARIES:
        return import_module(f"dptools.{name}")
    raise AttributeError(f"module 'dptools' has no attribute {name!r}")
