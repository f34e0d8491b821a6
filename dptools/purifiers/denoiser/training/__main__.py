"""Train the denoiser: ``python -m dptools.purifiers.denoiser.training --photographs DIR -o DIR``.

Progress goes to standard output as JSON Lines. An interrupted run resumes from its last checkpoint.
"""

import argparse
import copy
import json
import math
import random
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from dptools.errors import UsageError
from dptools.purifiers.denoiser.network import SIZE_DIVISOR, DenoiserUNet
from dptools.purifiers.denoiser.training.features import Critics
from dptools.purifiers.denoiser.training.images import TILE, read_tiles
from dptools.purifiers.denoiser.training.loop import Objective, Schedule, Synthetic, train
from dptools.purifiers.denoiser.training.state import State
from dptools.purifiers.denoiser.training.validation import read_images, validate

Number = TypeVar("Number", int, float)


def _within(kind: Callable[[str], Number], low: float, high: float = math.inf) -> Callable[[str], Number]:
    """Return a type of argparse: a number from low to high."""

    def number(text: str) -> Number:
        value = kind(text)
        if not low <= value <= high:
            raise argparse.ArgumentTypeError(
                f"{text}: give a number from {low:g}" + f" to {high:g}" * (high < math.inf)
            )
        return value

    return number


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m dptools.purifiers.denoiser.training", description=__doc__)
    add = parser.add_argument
    add("-o", "--out", type=Path, required=True, help="directory for checkpoints and weights")
    add("--photographs", type=Path, help="directory of photographs; by default, only synthetic images are used")
    add("--validation", type=Path, help="directory of images to validate on, 256 pixels or more a side")
    count, share = _within(int, 1), _within(float, 0, 1)
    sides = range(SIZE_DIVISOR, TILE + 1, SIZE_DIVISOR)
    add("--synthetic", type=share, default=0.25, metavar="SHARE", help="fraction of synthetic images, 0 to 1")
    add("--pool", type=_within(int, 0), default=0, help="synthetic images in memory; 0 for the device's default")
    add("--start", type=Path, help="weights file to start from if there is no checkpoint")
    add("--iterations", type=count, default=400_000)
    add("--minutes", type=_within(float, 0.01), help="limit of the training time, summed over all runs; default: none")
    add("--batch", type=count, default=16)
    add("--side", type=int, choices=sides, default=128, metavar="PIXELS", help="side of a patch, a multiple of 8")
    add("--rate", type=float, default=1e-3, help="AdamW's learning rate")
    add("--cooldown", type=share, default=1.0, help="final fraction of the run in which the learning rate falls")
    add("--report-every", type=count, default=500, help="iterations between checkpoints, each with a report")
    add("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    _add_objective(parser)
    add("--compile", action="store_true", help="use torch.compile")
    add("--seed", type=int, default=0)
    return parser


def _add_objective(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--critics", nargs="*", default=[], metavar="MODEL", help="classifiers that take part in training")
    add(
        "--feature-weight",
        type=float,
        default=Objective.feature_weight,
        help="factor of the distance of the critics' features in the loss",
    )
    add(
        "--prediction-weight",
        type=float,
        default=Objective.prediction_weight,
        help="factor of the cross-entropy of the critics' predictions in the loss",
    )
    add(
        "--gaussian",
        type=float,
        metavar="STD",
        help="train for randomised smoothing: only Gaussian noise, up to STD/255, not clipped",
    )
    add(
        "--adversarial",
        type=float,
        default=Objective.adversarial,
        help="weight of perturbations against the critics, beside all noise",
    )


def main() -> None:
    """Train, validate, and write checkpoints and weights."""
    parser = _parser()
    options = parser.parse_args()
    if not options.photographs and not options.synthetic:
        parser.error("nothing to train on: give --photographs, or --synthetic above 0")
    device = torch.device(options.device)
    torch.manual_seed(options.seed)
    torch.backends.cudnn.benchmark = True
    network = DenoiserUNet()
    try:
        if options.start:
            network.load_state_dict({name: value.float() for name, value in load_file(options.start).items()})
        network.to(device)
        optimizer = torch.optim.AdamW(network.parameters(), weight_decay=1e-4, fused=True)
        state = State(network, copy.deepcopy(network), optimizer, random.Random(options.seed))
        critics = Critics(options.critics, device, state.draw) if options.critics else None
        resumed = state.load(options.out)  # after all that draws random numbers
        use_photographs = options.photographs and options.synthetic < 1
        photographs = read_tiles(options.photographs).to(device) if use_photographs else None
        images = read_images(options.validation).to(device) if options.validation else None
    except (OSError, SafetensorError, UsageError, ValueError) as error:
        parser.error(str(error))
    renew_every = 100 if device.type == "cuda" else 20
    synthetic = _synthetic(options, device, state.progress.iteration // renew_every) if options.synthetic > 0 else None
    _say(options.out, {"resumed": resumed, "tiles": 0 if photographs is None else len(photographs), **vars(options)})
    seconds = math.inf if options.minutes is None else 60 * options.minutes
    schedule = Schedule(options.iterations, seconds, options.rate, cooldown=options.cooldown)
    settings: dict[str, Any] = {
        "batch": options.batch,
        "side": options.side,
        "share": options.synthetic,
        "renew_every": renew_every,
        "compiled": options.compile,
        "objective": Objective(
            critics, options.feature_weight, options.prediction_weight, options.adversarial, options.gaussian
        ),
    }
    for loss in train(state, photographs, synthetic, schedule, report_every=options.report_every, **settings):
        state.save(options.out)
        facts = {**vars(state.progress), "loss": round(loss, 6)}
        _say(options.out, facts | (validate(state.average, images) if images is not None else {}))


def _synthetic(options: argparse.Namespace, device: torch.device, renewals: int) -> Synthetic:
    on_gpu = device.type == "cuda"
    count, fresh = options.pool or (3072 if on_gpu else 192), 128 if on_gpu else 1
    return Synthetic(count, device, fresh, seed=options.seed, renewals=renewals)


def _say(out: Path, facts: dict[str, object]) -> None:
    out.mkdir(parents=True, exist_ok=True)
    line = json.dumps({name: str(value) if isinstance(value, Path) else value for name, value in facts.items()})
    with (out / "progress.jsonl").open("a") as file:
        file.write(line + "\n")
    print(line, file=sys.stdout, flush=True)


if __name__ == "__main__":
    main()
