"""The command line of dp-classify."""

import math
from pathlib import Path
from typing import Annotated, NoReturn, TextIO

import typer

from dptools.classifiers.names import DEFAULT, ClassifierOptions, is_service
from dptools.cli.entry import main as run
from dptools.cli.entry import report
from dptools.cli.image_tool import image_tool
from dptools.cli.options import (
    Calibration,
    ClassNames,
    Device,
    Endpoint,
    Label,
    Mean,
    Model,
    Resize,
    Seed,
    Size,
    Std,
    Timeout,
    Weights,
)
from dptools.detection import DETECTORS, read_calibration
from dptools.pipe.record import Record
from dptools.pipe.run import Emit
from dptools.pipe.sample import Sample
from dptools.texts import printable
from dptools.tools.classifier_options import classifier_options
from dptools.tools.classify.certification import parse_certification
from dptools.tools.classify.processor import ClassifyOptions
from dptools.tools.classify.table import as_csv
from dptools.tools.shared import Labels


def classify(
    model: Model = DEFAULT,
    weights: Weights = None,
    classes: ClassNames = None,
    size: Size = None,
    resize: Resize = None,
    mean: Mean = None,
    std: Std = None,
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
    calibration: Calibration = None,
    calibrate: Annotated[
        Path | None,
        typer.Option("--calibrate", metavar="FILE", help="Measure the disagreement for clean images, and write FILE."),
    ] = None,
    certify: Annotated[
        list[str] | None,
        typer.Option(
            "--certify",
            metavar="SIGMA",
            help="Certify by randomised smoothing with noise of this standard deviation; repeatable.",
        ),
    ] = None,
    smooth: Annotated[
        str | None,
        typer.Option("--smooth", metavar="SIGMA", help="Predict by vote under noise; no certificate."),
    ] = None,
    purifier: Annotated[
        str | None,
        typer.Option("--purifier", metavar="METHOD|none", help="Purifier of the noisy images.  [default: perceptual]"),
    ] = None,
    draws: Annotated[
        int | None, typer.Option("--draws", min=1, metavar="N", help="Noisy images per sigma.  [default: 1000]")
    ] = None,
    alpha: Annotated[
        float | None, typer.Option("--alpha", metavar="A", help="Probability of a wrong certificate.  [default: 0.001]")
    ] = None,
    until: Annotated[
        float | None,
        typer.Option("--until", min=0, metavar="R", help="End as soon as this radius is certified, to save draws."),
    ] = None,
    seed: Seed = 0,
    device: Device = "auto",
) -> ClassifyOptions:
    """Classify images: list the most probable classes, and the rank of the true class if it is known."""
    classifier = classifier_options(weights, endpoint, timeout, classes, size, resize, mean, std)
    certification = parse_certification(certify or [], smooth, purifier, draws, alpha, until, seed)
    if certification and is_service(model):
        report(f"up to {certification.requests} requests to {model} for each image")
    return ClassifyOptions(
        model,
        classifier,
        device,
        top_k,
        Labels(label),
        labels,
        suspect,
        detector,
        certification,
        read_calibration(calibration) if calibration else None,
        calibrate,
    )


def show(stream: TextIO) -> Emit:
    """Return a function that writes one paragraph per image: its path, and one line per class."""

    def emit(sample: Sample) -> None:
        if not sample.failed:
            stream.write("\n".join(_lines(sample)) + "\n")
            stream.flush()

    return emit


def _lines(sample: Sample) -> list[str]:
    record = sample.record
    heading = printable(sample.path) + (_verdict(record["suspicion"]) if "suspicion" in record else "")
    if "skipped" in record:
        return [f"{heading}: skipped: {printable(record['skipped']['message'])}"]
    label = record.get("label", -1)
    return [
        heading,
        *_guarantee(record),
        *(
            f"  {100 * top['p']:5.1f} %  {printable(str(top['name']))}{' *' * (top.get('index') == label)}"
            for top in record["classify"]["top"]
        ),
    ]


def _guarantee(record: Record) -> list[str]:
    """Return a line about the certificate or the vote; none without one."""
    vote = record.get("certify") or record.get("smooth")
    if not vote:
        return []
    name = printable(str(record["classify"]["top"][0]["name"]))
    confidence = f"confidence {100 * (1 - vote['alpha']):.7g} %"
    if vote["abstained"]:
        return [f"  no prediction: the {vote['n']} votes do not prove one ({confidence})"]
    if "radius" not in vote:
        return [f"  {name} ({confidence})"]
    who = f", by the classifier smoothed with {vote['sigma']:g}" if vote.get("others") else ""
    change = f"no change of the {_input(vote)} with an L2 norm up to {_down(vote['radius'])} can alter this"
    return [f"  {name}{who}; {change} ({confidence})"]


def _input(certificate: Record) -> str:
    """Return a text for the classifier's input. The image before resizing may have other norms."""
    return " ".join([" x ".join(map(str, certificate.get("input_size", []))), "input"]).strip()


def _down(radius: float) -> str:
    """Return a radius with two digits, rounded down, so that the text never promises more than was certified."""
    digits = max(0, 1 - math.floor(math.log10(radius)))
    return f"{math.floor(radius * 10**digits) / 10**digits:.{digits}f}"


def _verdict(suspicion: float) -> str:
    from dptools.evaluation.gating import THRESHOLD

    verdict = f"not suspect (below {THRESHOLD:g})" if suspicion < THRESHOLD else f"suspect ({THRESHOLD:g} or more)"
    return f"  suspicion {suspicion:.2f}, {verdict}"


app = image_tool(classify, show, as_csv)


def main() -> NoReturn:
    """Run dp-classify."""
    run(app)
