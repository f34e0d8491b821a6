"""The options that tools share, each defined once."""

import sys
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Annotated

import typer

from dptools.classifiers.names import BUNDLED
from dptools.pipe.sniff import InputFormat


def tool_name() -> str:
    """The name by which this program was called."""
    return Path(sys.argv[0]).name


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"{tool_name()} (dptools) {version('deep-protection')}")
        raise typer.Exit


Device = Annotated[str, typer.Option("--device", metavar="NAME", help="auto, cpu, cuda or cuda:N.")]
Seed = Annotated[int, typer.Option("--seed", metavar="N", help="Seed of the run; an image's own follows from its id.")]
Model = Annotated[
    str,
    typer.Option(
        "--model",
        metavar="NAME",
        help=f"Classifier: {', '.join(BUNDLED)}, any of torchvision's, or a service: oip+http://..., clarifai:...",
    ),
]
Weights = Annotated[
    Path | None,
    typer.Option("--weights", metavar="FILE", help="State dict for the model, in place of its published weights."),
]
Endpoint = Annotated[
    str | None, typer.Option("--endpoint", metavar="URL", help="Base address of a service, in place of its own.")
]
Timeout = Annotated[
    float,
    typer.Option("--timeout", min=0.1, max=3600, metavar="SECONDS", help="A service's time for an answer."),
]
Label = Annotated[
    str | None, typer.Option("--label", metavar="CLASS", help="True class of every image: index, wnid or name.")
]
Json = Annotated[bool, typer.Option("--json", help="JSON on a terminal too.")]
Quiet = Annotated[bool, typer.Option("-q", "--quiet", help="No progress bar.")]
Debug = Annotated[bool, typer.Option("--debug", help="Show tracebacks.")]
Version = Annotated[
    bool, typer.Option("--version", is_eager=True, callback=_show_version, help="Show the version and exit.")
]


OPERANDS = "Images are files, directories to walk, or - for one image on stdin. Without any, stdin is read."


@dataclass(frozen=True)
class Common:
    """The options of every image tool."""

    operands: Annotated[
        list[str] | None,
        typer.Argument(metavar="IMAGE|DIR|-", hidden=True),  # OPERANDS tells of it, without typer's name of its type
    ] = None
    form: Annotated[
        InputFormat | None,
        typer.Option("--from", help="What stdin holds; found out from its first bytes if not given."),
    ] = None
    null: Annotated[
        bool, typer.Option("-0", "--null", help="Stdin holds paths that end in NUL, as from find -print0.")
    ] = False
    jobs: Annotated[
        int | None,
        typer.Option("-j", "--jobs", min=1, metavar="N", help="Worker processes.  [default: the cores; CUDA: 1]"),
    ] = None
    batch_size: Annotated[
        int | None,
        typer.Option("--batch-size", min=1, metavar="N", help="Images for a worker at once.  [default: 1]"),
    ] = None
    engine: Annotated[
        str, typer.Option("--engine", metavar="NAME", help="Where the work is done: local, inline, ray or ray:ADDRESS.")
    ] = "local"
    gpus: Annotated[
        float | None,
        typer.Option("--gpus", min=0, metavar="N", help="GPUs a Ray worker takes.  [default: 1, if there are any]"),
    ] = None
    ship: Annotated[bool, typer.Option("--ship", help="Send images to Ray workers that see no files of ours.")] = False
    unordered: Annotated[bool, typer.Option("--unordered", help="Results as they come, not in input order.")] = False
    quiet: Quiet = False
    debug: Debug = False
    show_version: Version = False


@dataclass(frozen=True)
class Output:
    """The options of the tools that make images."""

    out: Annotated[Path | None, typer.Option("-o", "--out", metavar="DIR", help="Directory for the images.")] = None
    force: Annotated[bool, typer.Option("--force", help="Make again what is in DIR already.")] = False
