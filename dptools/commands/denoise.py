"""dp-denoise."""

from pathlib import Path
from typing import Annotated, NoReturn

import typer

from dptools.classifiers.names import DEFAULT, Given
from dptools.commands.entry import main as run
from dptools.commands.image_tool import image_tool
from dptools.commands.options import Device, Endpoint, Label, Seed, Timeout, Weights
from dptools.filters.registry import FORMS
from dptools.prior.networks import NETWORKS
from dptools.prior.presets import LOSS_NAMES, PRECISIONS
from dptools.prior.rules import RULES
from dptools.stages.denoise import Changes, Denoise
from dptools.stages.labels import Labels
from dptools.stages.looking import Looking

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
    timeout: Timeout = Given.timeout,
    label: Label = None,
    seed: Seed = 0,
    device: Device = "auto",
) -> Denoise:
    """Restore images with a deep image prior: a network that shows an image more easily than noise."""
    changes = Changes(stop, iterations, average, precision, network, loss, tile)
    looking = Looking(every, trace, keep, model, Given(weights, endpoint, timeout), Labels(label))
    drawn = seed if method == "dip" else None
    return Denoise(preset, changes, looking, device, drawn, method, if_suspect)


app = image_tool(denoise)


def main() -> NoReturn:
    run(app)
