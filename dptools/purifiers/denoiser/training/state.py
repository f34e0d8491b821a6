"""Checkpoints: all that a training run needs to go on as if it had not been interrupted."""

import json
import os
import random
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn


@dataclass
class Progress:
    """How far training is.

    Attributes:
        iteration: batches seen.
        seconds: spent in all runs.
        patches: seen in all runs.
    """

    iteration: int = 0
    seconds: float = 0.0
    patches: int = 0


@dataclass
class State:
    """A training run.

    Attributes:
        network: trained in place.
        average: its exponential moving average, which is what is kept in the end.
        optimizer: Adam, in any variant.
        draw: decides on the host.
    """

    network: nn.Module
    average: nn.Module
    optimizer: torch.optim.Optimizer
    draw: random.Random
    progress: Progress = field(default_factory=Progress)

    def __post_init__(self) -> None:
        self.network.to(memory_format=torch.channels_last)
        self.average.to(memory_format=torch.channels_last)

    def save(self, folder: Path) -> None:
        """Write the run into a folder, in files of at most 16 MiB; each appears complete or not at all."""
        folder.mkdir(parents=True, exist_ok=True)
        _write(folder / "network.safetensors", self.network.state_dict())
        _write(folder / "average.safetensors", self.average.state_dict())
        state = self.optimizer.state_dict()["state"]
        _write(
            folder / "optimizer.safetensors", {f"{at}.{key}": each[key] for at, each in state.items() for key in each}
        )
        _write(folder / "random.safetensors", _random_states())
        facts = {"progress": vars(self.progress), "draw": self.draw.getstate()}
        temporary = folder / "state.json.part"
        temporary.write_text(json.dumps(facts))
        os.replace(temporary, folder / "state.json")

    def load(self, folder: Path) -> bool:
        """Read the run that a folder holds; return whether there is one."""
        if not (folder / "state.json").exists():
            return False
        facts = json.loads((folder / "state.json").read_text())
        self.progress = Progress(**facts["progress"])
        version, internal, gauss = facts["draw"]
        self.draw.setstate((version, tuple(internal), gauss))
        self.network.load_state_dict(load_file(folder / "network.safetensors"))
        self.average.load_state_dict(load_file(folder / "average.safetensors"))
        known: dict[int, dict[str, Tensor]] = {}
        for name, value in load_file(folder / "optimizer.safetensors").items():
            at, _, key = name.partition(".")
            # Fused optimisers pair values by their place in memory, so moments need the layout of the weights.
            layout = torch.channels_last if value.ndim == 4 else torch.contiguous_format
            known.setdefault(int(at), {})[key] = value.contiguous(memory_format=layout)
        self.optimizer.load_state_dict({**self.optimizer.state_dict(), "state": known})
        states = load_file(folder / "random.safetensors")
        torch.set_rng_state(states["cpu"])
        if "cuda" in states and torch.cuda.is_available():
            torch.cuda.set_rng_state(states["cuda"])
        return True


def _random_states() -> dict[str, Tensor]:
    states = {"cpu": torch.get_rng_state()}
    return states | ({"cuda": torch.cuda.get_rng_state()} if torch.cuda.is_available() else {})


def _write(path: Path, tensors: dict[str, Any]) -> None:
    part = path.with_suffix(".part")
    save_file({name: value.detach().cpu().contiguous() for name, value in tensors.items()}, part)
    os.replace(part, path)
