"""Checkpoints, from which an interrupted training run resumes.

The pool of synthetic images is not part of a checkpoint. It is generated again, with the same images.
"""

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
    """The progress of training, summed over all runs.

    Attributes:
        iteration: number of batches.
        seconds: training time, without checkpoints and validation.
        patches: number of patches.
    """

    iteration: int = 0
    seconds: float = 0.0
    patches: int = 0


@dataclass
class State:
    """A training run.

    Attributes:
        network: the network, trained in place.
        average: a network with the exponential moving average of the weights. It is the result of the training.
        optimizer: Adam or a variant of it.
        draw: random generator on the host.
        progress: how far the training is.
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
        """Write the run into a folder, and the averaged weights in half precision as ``weights.safetensors``.

        Replacing ``state.json`` completes the checkpoint. Until then, the files of the last checkpoint stay valid.
        """
        folder.mkdir(parents=True, exist_ok=True)
        average = self.average.state_dict()
        _write(folder / "weights.safetensors", {name: value.half() for name, value in average.items()})
        state = self.optimizer.state_dict()["state"]
        moments = {f"{index}.{key}": values[key] for index, values in state.items() for key in values}
        parts = {"network": self.network.state_dict(), "average": average, "optimizer": moments}
        for name, tensors in {**parts, "random": _random_states()}.items():
            _write(self._part(folder, name), tensors)
        facts = {"progress": vars(self.progress), "draw": self.draw.getstate()}
        temporary = folder / "state.json.part"
        temporary.write_text(json.dumps(facts))
        os.replace(temporary, folder / "state.json")
        for path in folder.glob("*-*.safetensors"):
            if not path.stem.endswith(f"-{self.progress.iteration}"):
                path.unlink()

    def load(self, folder: Path) -> bool:
        """Restore the run from a folder, and return whether the folder holds one."""
        if not (folder / "state.json").exists():
            return False
        facts = json.loads((folder / "state.json").read_text())
        self.progress = Progress(**facts["progress"])
        version, internal, gauss = facts["draw"]
        self.draw.setstate((version, tuple(internal), gauss))
        self.network.load_state_dict(load_file(self._part(folder, "network")))
        self.average.load_state_dict(load_file(self._part(folder, "average")))
        moments: dict[int, dict[str, Tensor]] = {}
        for name, value in load_file(self._part(folder, "optimizer")).items():
            index, _, key = name.partition(".")
            # Fused optimisers pair values by memory position, so moments need the memory layout of the weights.
            layout = torch.channels_last if value.ndim == 4 else torch.contiguous_format
            moments.setdefault(int(index), {})[key] = value.contiguous(memory_format=layout)
        self.optimizer.load_state_dict({**self.optimizer.state_dict(), "state": moments})
        states = load_file(self._part(folder, "random"))
        torch.set_rng_state(states["cpu"])
        if "cuda" in states and torch.cuda.is_available():
            torch.cuda.set_rng_state(states["cuda"])
        return True

    def _part(self, folder: Path, name: str) -> Path:
        """Return the file of a part of the checkpoint at the present iteration."""
        return folder / f"{name}-{self.progress.iteration}.safetensors"


def _random_states() -> dict[str, Tensor]:
    states = {"cpu": torch.get_rng_state()}
    return states | ({"cuda": torch.cuda.get_rng_state()} if torch.cuda.is_available() else {})


def _write(path: Path, tensors: dict[str, Any]) -> None:
    part = path.with_suffix(".part")
    save_file({name: value.detach().cpu().contiguous() for name, value in tensors.items()}, part)
    os.replace(part, path)
