"""The command line of dp-classify."""

from pathlib import Path
from typing import Annotated, NoReturn, TextIO

import typer

from dptools.classifiers.names import DEFAULT, ClassifierOptions
from dptools.cli.entry import main as run
from dptools.cli.image_tool import image_tool
from dptools.cli.options import Device, Endpoint, Label, Model, Timeout, Weights
from dptools.detection import DETECTORS
from dptools.pipe.run import Emit
from dptools.pipe.sample import Sample
from dptools.texts import printable
from dptools.tools.classify.processor import ClassifyOptions
from dptools.tools.shared import Labels


def classify(
    model: Model = DEFAULT,
    weights: Weights = None,
    top_k: Annotated[int, typer.Option("-k", "--top-k", min=1, metavar="N", help="Number of classes to list.")] = 5,
    label: Label = None,
    endpoint: Endpoint = None,
    timeout: Timeout = ClassifierOptions.timeout,
    labels: Annotated[
        Path | None,
        typer.Option(
            "--labels", metavar="FILE", help="Map the model's class names to ImageNet: lines of name, tab, class."
        ),
    ] = None,
    suspect: Annotated[
        bool, typer.Option("--suspect", help="Add the suspicion that an image was attacked, from 0 to 1.")
    ] = False,
    detector: Annotated[
        str | None, typer.Option("--detector", metavar="NAME", help=f"Detector for --suspect: {', '.join(DETECTORS)}.")
    ] = None,
    device: Device = "auto",
) -> ClassifyOptions:
    """Classify images: list the most probable classes, and the rank of the true class if it is known."""
    classifier = ClassifierOptions(weights, endpoint, timeout)
    return ClassifyOptions(model, classifier, device, top_k, Labels(label), labels, suspect, detector)


def show(stream: TextIO) -> Emit:
    """Return a function that writes one paragraph per image: its path, and one line per class."""

    def emit(sample: Sample) -> None:
        if not sample.failed:
            stream.write("\n".join(_lines(sample)) + "\n")
            stream.flush()

    return emit


def _lines(sample: Sample) -> list[str]:
    record = sample.record
    heading = printable(sample.path) + (_verdict(record["suspicion"]) if "suspect" in record else "")
    if "skipped" in record:
        return [f"{heading}: skipped: {printable(record['skipped']['message'])}"]
    label = record.get("label", -1)
    return [
        heading,
        *(
            f"  {100 * top['p']:5.1f} %  {printable(str(top['name']))}{' *' * (top.get('index') == label)}"
            for top in record["classify"]["top"]
        ),
    ]


def _verdict(suspicion: float) -> str:
    from dptools.evaluation.gating import THRESHOLD

    verdict = f"not suspect (below {THRESHOLD:g})" if suspicion < THRESHOLD else f"suspect ({THRESHOLD:g} or more)"
    return f"  suspicion {suspicion:.2f}, {verdict}"


app = image_tool(classify, show)


def main() -> NoReturn:
    """Run dp-classify."""
    run(app)
