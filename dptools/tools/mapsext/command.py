"""dp-mapsext."""

from pathlib import Path
from typing import Annotated, NoReturn

import typer

from dptools.cli.entry import main as run
from dptools.cli.image_tool import image_tool
from dptools.cli.options import Device, Seed
from dptools.maps.names import FORMATS, READERS, RULES
from dptools.tools.mapsext.ocr_options import OcrOptions
from dptools.tools.mapsext.options import MapsextOptions


def mapsext(
    rule: Annotated[str, typer.Option("--rule", metavar="NAME", help=f"Of the mask: {', '.join(RULES)}.")] = "letters",
    iterations: Annotated[
        int | None, typer.Option("--iterations", min=1, metavar="N", help="Of the early prior of --rule paper.")
    ] = None,
    words: Annotated[bool, typer.Option("--words", help="Read the words too.")] = False,
    reader: Annotated[str, typer.Option("--reader", metavar="NAME", help=f"{', '.join(READERS)}.")] = "rapidocr",
    lang: Annotated[
        str, typer.Option("--lang", metavar="CODE", help="Language of the words, as of Tesseract.")
    ] = "eng",
    scale: Annotated[
        float, typer.Option("--scale", min=0.1, max=8, metavar="X", help="Enlarge maps for reading by this factor.")
    ] = 2.0,
    output_format: Annotated[
        str, typer.Option("--format", metavar="NAME", help=f"Of standard output: {', '.join(FORMATS)}.")
    ] = "jsonl",
    overlay: Annotated[
        Path | None,
        typer.Option("--overlay", metavar="FILE|DIR", help="Draw the words on the map, or maps into a directory."),
    ] = None,
    seed: Seed = 0,
    device: Device = "auto",
) -> MapsextOptions:
    """Pull the text out of scanned maps, as white on black, and read its words at any angle."""
    return MapsextOptions(
        rule, iterations, OcrOptions(words, reader, lang, scale, output_format, overlay), device, seed
    )


app = image_tool(mapsext)


def main() -> NoReturn:
    run(app)
