"""dp-denoise."""

from pathlib import Path
from typing import Annotated, NoReturn

import typer

from dptools.classifiers.names import DEFAULT, ClassifierOptions
from dptools.cli.entry import main as run
from dptools.cli.image_tool import image_tool
from dptools.cli.options import Device, Endpoint, Label, Seed, Timeout, Weights
from dptools.purifiers.dip.networks import NETWORKS
from dptools.purifiers.dip.presets import LOSS_NAMES, PRECISIONS
from dptools.purifiers.dip.rules import RULES
from dptools.purifiers.filters.registry import FORMS
from dptools.tools.denoise.options import DenoiseOptions, Overrides
from dptools.tools.denoise.tracing import TraceOptions
from dptools.tools.shared import Labels

WHICH = "default, photo (for the eye), cold (random weights) or paper (as published)."


def denoise(
    method: Annotated[
        str, typer.Option("--method", metavar="METHOD", help=f"dip (the prior), or a filter: {', '.join(FORMS)}.")
    ] = "dip",
    preset: Annotated[str, typer.Option("--preset", metavar="NAME", help=WHICH)] = "default",
    stop: Annotated[
        str | None, typer.Option("--stop", metavar="RULE", help=f"When to stop: {' or '.join(RULES)}.")
    ] = None,
    iterations: Annotated[
        int | None, typer.Option("--iterations", min=1, metavar="N", help="The most iterations.")
    ] = None,
    average: Annotated[
        float | None,
        typer.Option("--average", min=0, max=0.9999, metavar="X", help="Weight of the past in the average of outputs."),
    ] = None,
    precision: Annotated[str | None, typer.Option("--precision", metavar="P", help=f"{', '.join(PRECISIONS)}.")] = None,
    network: Annotated[str | None, typer.Option("--network", metavar="NAME", help=f"{', '.join(NETWORKS)}.")] = None,
    loss: Annotated[str | None, typer.Option("--loss", metavar="NAME", help=f"{', '.join(LOSS_NAMES)}.")] = None,
    tile: Annotated[
        int | None, typer.Option("--tile", min=0, metavar="N", help="Larger images in tiles of N pixels; 0: never.")
    ] = None,
    if_suspect: Annotated[
        float | None,
        typer.Option("--if-suspect", min=0, max=1, metavar="T", help="Only what dp-classify suspects so much: 0.95."),
    ] = None,
    every: Annotated[int, typer.Option("--every", min=1, metavar="K", help="Iterations between two looks.")] = 50,
    trace: Annotated[
        Path | None, typer.Option("--trace", metavar="FILE", help="Write a JSON line for each look at the fit.")
    ] = None,
    keep: Annotated[
        Path | None, typer.Option("--keep", metavar="DIR", help="Write the image of each look at the fit.")
    ] = None,
    model: Annotated[
        str | None, typer.Option("--model", metavar="NAME", help=f"Classifier for the oracle and the looks: {DEFAULT}.")
    ] = None,
    weights: Weights = None,
    endpoint: Endpoint = None,
    timeout: Timeout = ClassifierOptions.timeout,
    label: Label = None,
    seed: Seed = 0,
    device: Device = "auto",
) -> DenoiseOptions:
    """Restore images with a deep image prior: a network that shows an image more easily than noise."""
    changes = Overrides(stop, iterations, average, precision, network, loss, tile)
    looking = TraceOptions(every, trace, keep, model, ClassifierOptions(weights, endpoint, timeout), Labels(label))
    drawn = seed if method == "dip" else None
    return DenoiseOptions(preset, changes, looking, device, drawn, method, if_suspect)


app = image_tool(denoise)


def main() -> NoReturn:
    run(app)
