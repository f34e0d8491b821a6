"""dp-classify."""

from pathlib import Path
from typing import Annotated, NoReturn, TextIO

import typer

from dptools.classifiers.names import DEFAULT, ClassifierOptions
from dptools.cli.entry import main as run
from dptools.cli.image_tool import image_tool
from dptools.cli.options import Device, Endpoint, Label, Model, Timeout, Weights
from dptools.detection.detector import DETECTORS
from dptools.pipe.run import Emit
from dptools.pipe.sample import Sample
from dptools.texts import printable
from dptools.tools.classify.processor import ClassifyOptions
from dptools.tools.shared import LabelFrom, Labels


def classify(
    model: Model = DEFAULT,
    weights: Weights = None,
    top_k: Annotated[int, typer.Option("-k", "--top-k", min=1, metavar="N", help="How many classes.")] = 5,
    label: Label = None,
    endpoint: Endpoint = None,
    timeout: Timeout = ClassifierOptions.timeout,
    dictionary: Annotated[
        Path | None,
        typer.Option("--labels", metavar="FILE", help="What the model's names mean: lines of name, tab, class."),
    ] = None,
    suspect: Annotated[
        bool, typer.Option("--suspect", help="How suspect an image is of having been attacked, from 0 to 1.")
    ] = False,
    detector: Annotated[
        str | None, typer.Option("--detector", metavar="NAME", help=f"What finds that out: {', '.join(DETECTORS)}.")
    ] = None,
    device: Device = "auto",
) -> ClassifyOptions:
    """Name what images show: the most probable classes, and the true one's rank where a label is known."""
    given = ClassifierOptions(weights, endpoint, timeout)
    return ClassifyOptions(model, given, device, top_k, Labels(label, LabelFrom.AUTO), dictionary, suspect, detector)


def show(stream: TextIO) -> Emit:
    """A paragraph an image: its path, and a line a class."""

    def emit(sample: Sample) -> None:
        if not sample.failed:
            stream.write("\n".join(_lines(sample)) + "\n")
            stream.flush()

    return emit


def _lines(sample: Sample) -> list[str]:
    record = sample.record
    head = printable(sample.path) + (_verdict(record["suspicion"]) if "suspect" in record else "")
    if "skipped" in record:
        return [f"{head}: skipped: {printable(record['skipped']['message'])}"]
    label = record.get("label", -1)
    tops = record["classify"]["top"]
    return [
        head,
        *(
            f"  {100 * top['p']:5.1f} %  {printable(str(top['name']))}{' *' * (top.get('index') == label)}"
            for top in tops
        ),
    ]


def _verdict(suspicion: float) -> str:
    from dptools.evaluation.gating import THRESHOLD

    verdict = f"not suspect (below {THRESHOLD:g})" if suspicion < THRESHOLD else f"suspect ({THRESHOLD:g} or more)"
    return f"  suspicion {suspicion:.2f}, {verdict}"


app = image_tool(classify, show)


def main() -> NoReturn:
    run(app)
