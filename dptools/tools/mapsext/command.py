"""The command line of dp-mapsext."""

from pathlib import Path
from typing import Annotated, NoReturn

import typer

from dptools.cli.entry import main as run
from dptools.cli.entry import report
from dptools.cli.image_tool import image_tool
from dptools.cli.options import Device, Seed
from dptools.maps.choices import FORMATS, MASK_METHODS, READERS
from dptools.tools.mapsext.ocr_options import OcrOptions
from dptools.tools.mapsext.options import MapsextOptions


def mapsext(
    rule: Annotated[
        str, typer.Option("--rule", metavar="NAME", help=f"Method that makes the mask: {', '.join(MASK_METHODS)}.")
    ] = "letters",
    iterations: Annotated[
        int | None,
        typer.Option("--iterations", min=1, metavar="N", help="Iterations of the fit of --rule paper.  [default: 30]"),
    ] = None,
    words: Annotated[bool, typer.Option("--words", help="Read the words and add them to the record.")] = False,
    reader: Annotated[
        str, typer.Option("--reader", metavar="NAME", help=f"Text recogniser: {', '.join(READERS)}.")
    ] = "rapidocr",
    lang: Annotated[
        str, typer.Option("--lang", metavar="CODE", help="Language of the words, as Tesseract names it.")
    ] = "eng",
    scale: Annotated[
        float, typer.Option("--scale", min=0.1, max=8, metavar="X", help="Enlarge maps by this factor for reading.")
    ] = 2.0,
    output_format: Annotated[
        str, typer.Option("--format", metavar="NAME", help=f"Format of standard output: {', '.join(FORMATS)}.")
    ] = "jsonl",
    overlay: Annotated[
        Path | None,
        typer.Option("--overlay", metavar="FILE|DIR", help="Draw the words on the map; write it to FILE or into DIR."),
    ] = None,
    lexicon: Annotated[
        Path | None, typer.Option("--lexicon", metavar="FILE", help="Correct words by the names in FILE, one per line.")
    ] = None,
    seed: Seed = 0,
    device: Device = "auto",
) -> MapsextOptions:
    """Extract the text of scanned maps as a white-on-black mask, and read words, also along curves."""
    ocr = OcrOptions(words, reader, lang, scale, output_format, overlay, lexicon)
    if reader == READERS[0] and lang != "eng":
        report(f"--lang {lang}: RapidOCR reads all languages at once; others than eng only keep accents and scripts")
    return MapsextOptions(rule, iterations, ocr, device, seed)


app = image_tool(mapsext)


def main() -> NoReturn:
    """Run dp-mapsext."""
    run(app)
