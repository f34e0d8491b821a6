"""The command line of dp-attack."""

from typing import Annotated, NoReturn

import typer

from dptools.classifiers.names import DEFAULT, ClassifierOptions, has_gradients
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
from dptools.detection import read_calibration
from dptools.pipe.file_formats import LOSSLESS
from dptools.tools.attack.defence import DefenceOptions
from dptools.tools.attack.options import AttackOptions
from dptools.tools.attack.settings import configured_attacks, weak_attacks
from dptools.tools.classifier_options import classifier_options
from dptools.tools.shared import LabelFrom, Labels


def _list_attacks(requested: bool) -> None:
    if requested:
        from dptools.tools.attack.listing import listing

        typer.echo(listing())
        raise typer.Exit


def attack(
    attacks: Annotated[
        list[str],
        typer.Option("-a", "--attack", metavar="NAME", help="Attack, or all (the paper's eight); repeatable."),
    ] = ["gs"],  # noqa: B006  # typer copies it
    settings: Annotated[
        list[str] | None,
        typer.Option(
            "--set", metavar="NAME=VALUE", help="Parameter of the attacks, or ATTACK.NAME=VALUE of one; repeatable."
        ),
    ] = None,
    epsilon: Annotated[
        str | None,
        typer.Option("--epsilon", metavar="E", help="Largest perturbation on the [0, 1] scale, such as 8/255."),
    ] = None,
    norm: Annotated[
        str | None,
        typer.Option("--norm", metavar="NAME", help="Norm of --epsilon, where there is a choice."),
    ] = None,
    target: Annotated[
        str | None, typer.Option("--target", metavar="CLASS", help="Target class: index, wnid or name.")
    ] = None,
    through: Annotated[
        str | None,
        typer.Option(
            "--through",
            metavar="METHOD[:VALUE]",
            help="Attack the classifier behind this method of dp-denoise, such as denoiser or jpeg:50.",
        ),
    ] = None,
    eot: Annotated[
        int | None,
        typer.Option(
            "--eot",
            min=1,
            metavar="N",
            help="Random draws of the method to average per gradient.  [default: 1; autoattack: 20]",
        ),
    ] = None,
    gradient: Annotated[
        str | None,
        typer.Option(
            "--gradient",
            metavar="NAME",
            help="Gradient of the method: exact, surrogate, bpda or auto.  [default: auto]",
        ),
    ] = None,
    judge: Annotated[
        int | None,
        typer.Option("--judge", min=1, metavar="N", help="Fresh draws of the method that judge.  [default: 10]"),
    ] = None,
    fixed_draws: Annotated[
        bool, typer.Option("--fixed-draws", help="The attacker knows the random numbers of the method.")
    ] = False,
    transfer_from: Annotated[
        str | None,
        typer.Option(
            "--transfer-from", metavar="NAME|FILE", help="The attacker has this classifier instead of --model."
        ),
    ] = None,
    evade_suspicion: Annotated[
        bool, typer.Option("--evade-suspicion", help="The attacker also knows dp-classify --suspect.")
    ] = False,
    calibration: Calibration = None,
    model: Model = DEFAULT,
    weights: Weights = None,
    classes: ClassNames = None,
    size: Size = None,
    resize: Resize = None,
    mean: Mean = None,
    std: Std = None,
    endpoint: Endpoint = None,
    timeout: Timeout = ClassifierOptions.timeout,
    label: Label = None,
    label_from: Annotated[
        LabelFrom, typer.Option("--label-from", help="Source of labels; auto: the record, else the directory.")
    ] = LabelFrom.AUTO,
    seed: Seed = 0,
    device: Device = "auto",
    list_attacks: Annotated[
        bool,
        typer.Option("--list", is_eager=True, callback=_list_attacks, help="List attacks and parameters, and exit."),
    ] = False,
) -> AttackOptions:
    """Make adversarial images: change each image until the classifier gets it wrong."""
    gradients = has_gradients(transfer_from or model)
    configured = configured_attacks(
        attacks, settings or [], epsilon, norm, targeted=target is not None, gradients=gradients
    )
    for warning in weak_attacks(configured):
        report(warning)
    return AttackOptions(
        configured,
        model,
        classifier_options(weights, endpoint, timeout, classes, size, resize, mean, std),
        device,
        Labels(label, label_from),
        target,
        DefenceOptions(through, eot, gradient, judge, fixed_draws),
        transfer_from,
        evade_suspicion,
        read_calibration(calibration) if calibration else None,
        seed,
    )


app = image_tool(attack, formats=LOSSLESS)


def main() -> NoReturn:
    """Run dp-attack."""
    run(app)
