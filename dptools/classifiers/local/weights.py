"""State dicts in files. Loading a file never executes code from it."""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import TypeGuard

import torch
from torch import Tensor, nn

from dptools.errors import SetupError

StateDict = dict[str, Tensor]

WRAPPERS = ("state_dict", "model_state_dict", "model", "net")
"""Keys under which training programs save the state dict, beside the epoch or the optimizer."""

PREFIXES = ("_orig_mod.", "module.", "_orig_mod.")
"""Prefixes of all keys if the model was wrapped by ``torch.compile`` or ``DataParallel``, or by both in any order.

``module.`` is removed only once, because a network may have a part of that name.
"""


def read(path: Path) -> StateDict:
    """Read a state dict that ``torch.save`` or safetensors wrote.

    Raises:
        SetupError: the file is missing or unreadable, or contains no named tensors.
    """
    state = _unwrapped(_read_safetensors(path) if path.suffix == ".safetensors" else _read_torch(path))
    if not _is_state_dict(state):
        raise SetupError(f"weights {path}: not a state dict (a dict of tensors); save model.state_dict()")
    for prefix in PREFIXES:
        if all(key.startswith(prefix) for key in state):
            state = {key.removeprefix(prefix): tensor for key, tensor in state.items()}
    return dict(state)


def fill(network: nn.Module, state: StateDict, path: Path) -> None:
    """Load a state dict, which came from a file, into a network.

    Raises:
        SetupError: the state dict does not fit the network. The message names the first key that does not.
    """
    try:
        network.load_state_dict(state)
    except RuntimeError as error:
        reason = _difference(network.state_dict(), state) or " ".join(str(error).split())[:160]
        raise SetupError(f"weights {path} do not fit the model: {reason}") from None


def class_count(state: StateDict, published: Mapping[str, Tensor], default: int = 1000) -> int:
    """Return the number of classes of a state dict.

    Args:
        state: the state dict.
        published: the state dict of the same network with the default number of classes.
        default: that number.

    Returns:
        The length of the first tensor whose length is ``default`` in the published network, and another one here.
    """
    for key, tensor in published.items():
        if key in state and tensor.ndim and state[key].ndim and len(tensor) == default and len(state[key]) != default:
            return len(state[key])
    return default


def fingerprint(path: Path) -> str:
    """Return the first 16 hexadecimal digits of the file's SHA-256.

    Raises:
        SetupError: the file cannot be read.
    """
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()[:16]
    except OSError as error:
        raise SetupError(f"{path}: {error.strerror}") from None


def fingerprint_of(network: nn.Module) -> str:
    """Return the first 16 hexadecimal digits of the SHA-256 of all tensors in a network, with their names."""
    digest = hashlib.sha256()
    for name, tensor in sorted(network.state_dict().items()):
        if isinstance(tensor, Tensor):
            digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
            digest.update(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()[:16]


def _read_torch(path: Path) -> object:
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except OSError as error:
        raise SetupError(f"weights {path}: {error.strerror or error}") from None
    except Exception as error:  # torch raises exceptions of many types for files that it did not write
        if "Unsupported global" in str(error) or "TorchScript" in str(error):
            raise SetupError(
                f"weights {path}: it holds more than tensors, probably a whole model, and loading it could run code "
                "from the file: save model.state_dict()"
            ) from None
        raise SetupError(f"weights {path}: not a file of tensors that torch.save wrote") from None


def _read_safetensors(path: Path) -> object:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return load_file(path)
    except OSError as error:
        raise SetupError(f"weights {path}: {error.strerror or 'No such file or directory'}") from None
    except SafetensorError as error:
        raise SetupError(f"weights {path}: not a safetensors file: {error}") from None


def _unwrapped(content: object) -> object:
    if isinstance(content, dict) and not _is_state_dict(content):
        for key in WRAPPERS:
            if _is_state_dict(content.get(key)):
                return content[key]
    return content


def _is_state_dict(content: object) -> TypeGuard[StateDict]:
    if not isinstance(content, dict) or not content:
        return False
    return all(isinstance(key, str) and isinstance(value, Tensor) for key, value in content.items())


def _difference(expected: Mapping[str, Tensor], state: StateDict) -> str:
    """Return the first difference between the state dict of a network and that of a file; empty if there is none."""
    for key, tensor in expected.items():
        if key in state and state[key].shape != tensor.shape:
            return f"{key} is {_shape(state[key])}, and the model needs {_shape(tensor)}"
    missing = [key for key in expected if key not in state]
    unknown = [key for key in state if key not in expected]
    reasons = [
        *([f"the file lacks {missing[0]}{_more(missing)}"] if missing else []),
        *([f"the model has no {unknown[0]}{_more(unknown)}"] if unknown else []),
    ]
    return ", and ".join(reasons)


def _shape(tensor: Tensor) -> str:
    return " x ".join(map(str, tensor.shape)) or "a scalar"


def _more(keys: list[str]) -> str:
    return f" (and {len(keys) - 1} more)" if len(keys) > 1 else ""
