"""State dicts from disk, without ever executing what a file says."""

import hashlib
from pathlib import Path

import torch
from torch import Tensor, nn

from dptools.errors import SetupError

StateDict = dict[str, Tensor]


def read(path: Path) -> StateDict:
    """A state dict that ``torch.save`` wrote; tensors only.

    Raises:
        SetupError: the file is missing, unreadable or holds anything else.
    """
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except OSError as error:
        raise SetupError(f"weights {path}: {error.strerror or error}") from None
    except Exception:  # torch raises nearly anything on files that it did not write
        raise SetupError(f"weights {path}: not a file of tensors that torch.save wrote") from None
    if not isinstance(state, dict) or not state or not all(map(_is_named_tensor, state.items())):
        raise SetupError(f"weights {path}: not a state dict (a dict of tensors); save model.state_dict()")
    return state


def fill(network: nn.Module, state: StateDict, path: Path) -> None:
    """Load the weights into a network.

    Raises:
        SetupError: they belong to another network.
    """
    try:
        network.load_state_dict(state)
    except RuntimeError as error:
        first = " ".join(str(error).split())[:160]
        raise SetupError(f"weights {path} do not fit the model: {first}") from None


def class_count(state: StateDict) -> int:
    """How many classes the weights tell apart: the length of the last tensor, which is the last layer's bias."""
    last = list(state.values())[-1]
    return len(last) if last.ndim else 1


def _is_named_tensor(item: tuple[object, object]) -> bool:
    return isinstance(item[0], str) and isinstance(item[1], Tensor)


def fingerprint(path: Path) -> str:
    """The beginning of the file's SHA-256."""
    return hashlib.sha256(path.read_bytes()).hexdigest()[:16]
