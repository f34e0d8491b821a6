"""dp-mapsext."""

from typing import Annotated, NoReturn

import typer

from dptools.commands.entry import main as run
from dptools.commands.image_tool import image_tool
from dptools.commands.options import Device, Seed
from dptools.maps.residual import RULES
from dptools.stages.mapsext import Mapsext


def mapsext(
    rule: Annotated[str, typer.Option("--rule", metavar="NAME", help=f"{', '.join(RULES)}.")] = "paper",
    iterations: Annotated[int, typer.Option("--iterations", min=1, metavar="N", help="Of the early prior.")] = 30,
    seed: Seed = 0,
    device: Device = "auto",
) -> Mapsext:
    """Pull the text out of scanned maps, as white on black: what an early image prior has not learned yet."""
    return Mapsext(rule, iterations, device, seed)


app = image_tool(mapsext)


def main() -> NoReturn:
    run(app)
