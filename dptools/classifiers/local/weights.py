"""State dicts in files. Loading a file never executes code from it."""

import hashlib
from pathlib import Path

import torch
from torch import Tensor, nn

from dptools.errors import SetupError

StateDict = dict[str, Tensor]


def read(path: Path) -> StateDict:
    """Read a state dict that ``torch.save`` wrote.

    Raises:
        SetupError: the file is missing or unreadable, or contains anything but named tensors.
    """
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except OSError as error:
        raise SetupError(f"weights {path}: {error.strerror or error}") from None
    except Exception:  # torch raises exceptions of many types for files that it did not write
        raise SetupError(f"weights {path}: not a file of tensors that torch.save wrote") from None
    if not isinstance(state, dict) or not state or not all(map(_is_named_tensor, state.items())):
        raise SetupError(f"weights {path}: not a state dict (a dict of tensors); save model.state_dict()")
    return state


def fill(network: nn.Module, state: StateDict, path: Path) -> None:
    """Load a state dict into a network.

    Args:
        network: the network, changed in place.
        state: the state dict.
        path: the file it came from, for the error message.

    Raises:
        SetupError: the state dict does not fit the network.
    """
    try:
        network.load_state_dict(state)
    except RuntimeError as error:
        reason = " ".join(str(error).split())[:160]
        raise SetupError(f"weights {path} do not fit the model: {reason}") from None


def class_count(state: StateDict) -> int:
    """Return the number of classes: the length of the last tensor, which is the bias of the last layer."""
    last = list(state.values())[-1]
    return len(last) if last.ndim else 1


def fingerprint(path: Path) -> str:
    """Return the first 16 hexadecimal digits of the file's SHA-256."""
    return hashlib.sha256(path.read_bytes()).hexdigest()[:16]


def _is_named_tensor(item: tuple[object, object]) -> bool:
    return isinstance(item[0], str) and isinstance(item[1], Tensor)
