"""dp-attack."""

from typing import Annotated, NoReturn

import typer

from dptools.attacks.registry import ATTACKS, find
from dptools.classifiers.names import DEFAULT
from dptools.commands.entry import main as run
from dptools.commands.image_tool import image_tool
from dptools.commands.options import Device, Label, Model, Seed, Weights
from dptools.stages.attack import Attack
from dptools.stages.labels import LabelFrom, Labels


def _list_attacks(wanted: bool) -> None:
    if wanted:
        for attack in ATTACKS.values():
            typer.echo(f"{attack.name:12}{attack.title} ({attack.source})")
        raise typer.Exit


def attack(
    attacks: Annotated[
        list[str], typer.Option("-a", "--attack", metavar="NAME", help="Attack, or all; may be given several times.")
    ] = ["gs"],  # noqa: B006  # typer copies it
    model: Model = DEFAULT,
    weights: Weights = None,
    label: Label = None,
    label_from: Annotated[
        LabelFrom, typer.Option("--label-from", help="Where labels come from; auto: the record, then the directory.")
    ] = LabelFrom.AUTO,
    seed: Seed = 0,
    device: Device = "auto",
    list_attacks: Annotated[
        bool, typer.Option("--list", is_eager=True, callback=_list_attacks, help="List the attacks and exit.")
    ] = False,
) -> Attack:
    """Make adversarial images: each is changed until the classifier gets it wrong."""
    names = ATTACKS if "all" in attacks else dict.fromkeys(find(name).name for name in attacks)
    return Attack(tuple(names), model, weights, device, Labels(label, label_from), seed)


app = image_tool(attack)


def main() -> NoReturn:
    run(app)
