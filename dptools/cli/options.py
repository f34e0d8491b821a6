"""The options that several tools share."""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from dptools.classifiers.names import BUNDLED, OWN
from dptools.pipe.sniff import InputFormat


def tool_name() -> str:
    """Return the name by which this program was called."""
    return Path(sys.argv[0]).name


def _show_version(requested: bool) -> None:
    if requested:
        from importlib.metadata import version  # not needed for anything else, and slow to import

        typer.echo(f"{tool_name()} (dptools) {version('deep-protection')}")
        raise typer.Exit


def _parse_out(text: str) -> Path:
    if not text:  # Path("") is the current directory, and an unset variable of the shell is likelier
        raise typer.BadParameter("the name is empty")
    return Path(text)


Device = Annotated[str, typer.Option("--device", metavar="NAME", help="auto, cpu, cuda, cuda:N or mps.")]
Seed = Annotated[int, typer.Option("--seed", metavar="N", help="Seed of the run; each image derives its own from it.")]
Model = Annotated[
    str,
    typer.Option(
        "--model",
        metavar="NAME|FILE",
        help=f"Classifier: {', '.join(BUNDLED)}, a torchvision model, {OWN}, oip+http://... or clarifai:...",
    ),
]
Weights = Annotated[
    Path | None,
    typer.Option("--weights", metavar="FILE", help="State dict to load instead of the model's published weights."),
]
ClassNames = Annotated[
    Path | None, typer.Option("--classes", metavar="FILE", help="Names of the model's classes: lines, or JSON.")
]
Size = Annotated[
    int | None, typer.Option("--size", min=8, max=4096, metavar="N", help="Side of the model's input in pixels.")
]
Resize = Annotated[
    int | None,
    typer.Option("--resize", min=8, max=8192, metavar="N", help="Shorter side before the central square is cropped."),
]
Mean = Annotated[
    str | None, typer.Option("--mean", metavar="R,G,B", help="Mean to subtract from the channels, which are 0 to 1.")
]
Std = Annotated[
    str | None, typer.Option("--std", metavar="R,G,B", help="Standard deviation to divide the channels by.")
]
Calibration = Annotated[
    Path | None,
    typer.Option("--calibration", metavar="FILE", help="Calibration of the suspicion, by dp-classify --calibrate."),
]
Endpoint = Annotated[
    str | None, typer.Option("--endpoint", metavar="URL", help="Base URL of the service, instead of the default.")
]
Timeout = Annotated[
    float,
    typer.Option("--timeout", min=0.1, max=3600, metavar="SECONDS", help="Time limit for each request to a service."),
]
Label = Annotated[
    str | None, typer.Option("--label", metavar="CLASS", help="True class of all images: index, wnid or name.")
]
Json = Annotated[bool, typer.Option("--json", help="Write JSON, even on a terminal.")]
Csv = Annotated[bool, typer.Option("--csv", help="Write CSV with a header, one line per image, for spreadsheets.")]
NoOutput = Annotated[str | None, typer.Option("-o", "--out", hidden=True)]
"""An option of tools that make images, for a message of the tools that do not."""
Quiet = Annotated[bool, typer.Option("-q", "--quiet", help="Show no progress bar.")]
Debug = Annotated[bool, typer.Option("--debug", help="Show tracebacks.")]
Version = Annotated[
    bool, typer.Option("--version", is_eager=True, callback=_show_version, help="Show the version and exit.")
]


OPERANDS = (
    "Operands are image files, tar files of images, directories to walk, or - for one image on stdin. "
    "Without any, stdin is read."
)
"""The paragraph about operands in the help."""


@dataclass(frozen=True)
class Common:
    """The options of all image tools."""

    operands: Annotated[
        list[str] | None,
        typer.Argument(metavar="IMAGE|DIR|-", hidden=True),  # described by OPERANDS, because typer would add a type
    ] = None
    input_format: Annotated[
        InputFormat | None,
        typer.Option("--from", help="Format of stdin; detected from its first bytes by default."),
    ] = None
    null: Annotated[bool, typer.Option("-0", "--null", help="Read paths that end in NUL, as from find -print0.")] = (
        False
    )
    jobs: Annotated[
        int | None,
        typer.Option("-j", "--jobs", min=1, metavar="N", help="Number of workers.  [default: one per core; CUDA: 1]"),
    ] = None
    batch_size: Annotated[
        int | None,
        typer.Option(
            "--batch-size", min=1, metavar="N", help="Images per batch of a worker.  [default: 1; CUDA: more]"
        ),
    ] = None
    engine: Annotated[
        str, typer.Option("--engine", metavar="NAME", help="Where to compute: local, inline, ray or ray:ADDRESS.")
    ] = "local"
    gpus: Annotated[
        float | None,
        typer.Option("--gpus", min=0, metavar="N", help="GPUs per Ray worker.  [default: 1, if there are any]"),
    ] = None
    ship: Annotated[bool, typer.Option("--ship", help="Send images to Ray workers that do not share files.")] = False
    unordered: Annotated[
        bool, typer.Option("--unordered", help="Write results as they are ready, not in input order.")
    ] = False
    quiet: Quiet = False
    debug: Debug = False
    show_version: Version = False


@dataclass(frozen=True)
class Output:
    """The additional options of tools that make images."""

    out: Annotated[
        Path | None,
        typer.Option("-o", "--out", metavar="DIR", parser=_parse_out, help="Directory for the images, or FILE.tar."),
    ] = None
    force: Annotated[
        bool, typer.Option("--force", help="Recompute outputs that exist in DIR, and replace other files.")
    ] = False
    no_record: Annotated[
        bool, typer.Option("--no-record", help="Write images without the record; they cannot be reused.")
    ] = False


@dataclass(frozen=True)
class ImageFile:
    """The additional options of tools whose images are versions of their inputs.

    The help of ``--format`` is a template for the names of the formats.
    """

    image_format: Annotated[str, typer.Option("--format", metavar="NAME[:Q]", help="Format of images: {}.")] = "png"
    keep_metadata: Annotated[
        bool, typer.Option("--keep-metadata", help="Copy EXIF and XMP; write a colour profile if there was one.")
    ] = False
