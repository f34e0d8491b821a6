"""The command line of dp-denoise."""

from pathlib import Path
from typing import Annotated, NoReturn

import typer

from dptools.classifiers.names import DEFAULT as CLASSIFIER
from dptools.classifiers.names import ClassifierOptions
from dptools.cli.entry import main as run
from dptools.cli.image_tool import image_tool
from dptools.cli.options import (
    ClassNames,
    Device,
    Endpoint,
    Label,
    Mean,
    Resize,
    Seed,
    Size,
    Std,
    Timeout,
    Weights,
)
from dptools.pipe.file_formats import NAMES
from dptools.purifiers.dip.settings import LOSSES, NETWORKS
from dptools.purifiers.dip.stopping_names import CRITERIA
from dptools.purifiers.filters.registry import PARAMETERS
from dptools.purifiers.method import DEFAULT
from dptools.purifiers.precision import PRECISIONS
from dptools.tools.classifier_options import classifier_options
from dptools.tools.denoise.options import DenoiseOptions
from dptools.tools.denoise.overrides import Overrides
from dptools.tools.denoise.tracing import TraceOptions
from dptools.tools.shared import Labels

METHOD_HELP = (
    "fast (pretrained), denoiser (trained without classifiers), perceptual (without added noise), "
    "smoothing (for certification), photo (for the eye), "
    "zero-shot (trained on the image alone), dip (deep image prior), paper (as published), "
    f"or a filter: {', '.join(PARAMETERS)}."
)


def denoise(
    method: Annotated[str, typer.Option("--method", metavar="NAME[:VALUE]", help=METHOD_HELP)] = DEFAULT,
    stop: Annotated[
        list[str] | None,
        typer.Option(
            "--stop", metavar="CRITERION", help=f"When a fit stops: {' or '.join(CRITERIA)}; repeatable, with one fit."
        ),
    ] = None,
    iterations: Annotated[
        int | None, typer.Option("--iterations", min=1, metavar="N", help="Maximum iterations of a fit.")
    ] = None,
    average: Annotated[
        float | None,
        typer.Option(
            "--average", min=0, max=0.9999, metavar="X", help="Decay of the moving average of a fit's outputs."
        ),
    ] = None,
    precision: Annotated[
        str | None, typer.Option("--precision", metavar="P", help=f"Number format: {', '.join(PRECISIONS)}.")
    ] = None,
    network: Annotated[
        str | None, typer.Option("--network", metavar="NAME", help=f"Network of a fit: {', '.join(NETWORKS)}.")
    ] = None,
    loss: Annotated[
        str | None, typer.Option("--loss", metavar="NAME", help=f"Loss of a fit: {', '.join(LOSSES)}.")
    ] = None,
    tile: Annotated[
        int | None,
        typer.Option("--tile", min=0, metavar="N", help="Process larger images in tiles of N pixels; 0: never."),
    ] = None,
    if_suspect: Annotated[
        float | None,
        typer.Option(
            "--if-suspect",
            min=0,
            max=1,
            metavar="T",
            help="Purify only images with a suspicion of T or more, e.g. 0.95.",
        ),
    ] = None,
    every: Annotated[
        int, typer.Option("--every", min=1, metavar="K", help="Iterations between two points of a trace.")
    ] = 50,
    trace: Annotated[
        Path | None, typer.Option("--trace", metavar="FILE", help="Write a JSON line for every K-th iteration.")
    ] = None,
    keep: Annotated[
        Path | None, typer.Option("--keep", metavar="DIR", help="Write the image of every K-th iteration.")
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(
            "--model", metavar="NAME|FILE", help=f"Classifier for the oracle and the trace, e.g. {CLASSIFIER}."
        ),
    ] = None,
    weights: Weights = None,
    classes: ClassNames = None,
    size: Size = None,
    resize: Resize = None,
    mean: Mean = None,
    std: Std = None,
    endpoint: Endpoint = None,
    timeout: Timeout = ClassifierOptions.timeout,
    label: Label = None,
    seed: Seed = 0,
    device: Device = "auto",
) -> DenoiseOptions:
    """Remove noise and adversarial perturbations from images, before they are classified."""
    overrides = Overrides(tuple(stop or ()), iterations, average, precision, network, loss, tile)
    given = classifier_options(weights, endpoint, timeout, classes, size, resize, mean, std)
    tracing = TraceOptions(every, trace, keep, model, given, Labels(label))
    return DenoiseOptions(method, overrides, tracing, device, seed, if_suspect)


app = image_tool(denoise, formats=NAMES)


def main() -> NoReturn:
    """Run dp-denoise."""
    run(app)
