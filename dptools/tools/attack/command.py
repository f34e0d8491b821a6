"""dp-attack."""

from typing import Annotated, NoReturn

import typer

from dptools.attacks.registry import PAPER, find
from dptools.attacks.settings import Setting, configure
from dptools.classifiers.names import DEFAULT, ClassifierOptions
from dptools.cli.entry import main as run
from dptools.cli.image_tool import image_tool
from dptools.cli.options import Device, Endpoint, Label, Model, Seed, Timeout, Weights
from dptools.errors import UsageError
from dptools.tools.attack.defence import DefenceOptions
from dptools.tools.attack.processor import AttackOptions
from dptools.tools.shared import LabelFrom, Labels


def _list_attacks(wanted: bool) -> None:
    if wanted:
        from dptools.attacks.listing import listing

        typer.echo(listing())
        raise typer.Exit


def attack(
    attacks: Annotated[
        list[str],
        typer.Option(
            "-a", "--attack", metavar="NAME", help="Attack, or all (the paper's eight); may be given several times."
        ),
    ] = ["gs"],  # noqa: B006  # typer copies it
    settings: Annotated[
        list[str] | None,
        typer.Option(
            "--set", metavar="NAME=VALUE", help="Set a parameter of the attacks, or ATTACK.NAME=VALUE of one."
        ),
    ] = None,
    epsilon: Annotated[
        str | None, typer.Option("--epsilon", metavar="E", help="Largest perturbation, in [0, 1], such as 8/255.")
    ] = None,
    target: Annotated[
        str | None, typer.Option("--target", metavar="CLASS", help="Class to reach: index, wnid or name.")
    ] = None,
    through: Annotated[
        str | None,
        typer.Option("--through", metavar="DEFENCE", help="Attack through a defence too: denoise or denoise:PRESET."),
    ] = None,
    eot: Annotated[
        int | None,
        typer.Option("--eot", min=1, metavar="N", help="Seeds of the defence to average over.  [default: 1]"),
    ] = None,
    model: Model = DEFAULT,
    weights: Weights = None,
    endpoint: Endpoint = None,
    timeout: Timeout = ClassifierOptions.timeout,
    label: Label = None,
    label_from: Annotated[
        LabelFrom, typer.Option("--label-from", help="Where labels come from; auto: the record, then the directory.")
    ] = LabelFrom.AUTO,
    seed: Seed = 0,
    device: Device = "auto",
    list_attacks: Annotated[
        bool,
        typer.Option("--list", is_eager=True, callback=_list_attacks, help="List attacks and parameters, and exit."),
    ] = False,
) -> AttackOptions:
    """Make adversarial images: each is changed until the classifier gets it wrong."""
    names = dict.fromkeys(name for given in attacks for name in (PAPER if given == "all" else [given]))
    given = [Setting.parse(text) for text in settings or []]
    if strangers := [setting.attack for setting in given if setting.attack not in {None, *names}]:
        raise UsageError(f"--set: {strangers[0]} is none of the attacks: {', '.join(names)}")
    chosen = tuple(configure(find(name), given, epsilon, aimed=target is not None) for name in names)
    classifier, labels = ClassifierOptions(weights, endpoint, timeout), Labels(label, label_from)
    return AttackOptions(chosen, model, classifier, device, labels, target, DefenceOptions(through, eot), seed)


app = image_tool(attack)


def main() -> NoReturn:
    run(app)
