"""Select the device to compute on, and handle its memory."""

import re
import sys
from typing import TYPE_CHECKING

from dptools.errors import SetupError, UsageError

if TYPE_CHECKING:
    import torch


def check_device(name: str) -> str:
    """Return the name if it denotes a device, whether or not this machine has it.

    Raises:
        UsageError: The name is none of ``auto``, ``cpu``, ``cuda``, ``cuda:N``.
    """
    if not re.fullmatch(r"auto|cpu|cuda(:\d+)?", name):
        raise UsageError(f"unknown device {name!r}: choose auto, cpu, cuda or cuda:N")
    return name


def resolve_device(name: str) -> "torch.device":
    """Return the device of this machine that a name denotes; ``auto`` is CUDA if torch can use it, else the CPU.

    Raises:
        UsageError: The name does not denote a device.
        SetupError: This machine does not have the device.
    """
    import torch

    if check_device(name) == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    device = torch.device(name)
    count = torch.cuda.device_count()
    if device.type == "cuda" and (device.index or 0) >= count:
        raise SetupError(f"device {name} does not exist: torch can use {count} CUDA devices on this machine")
    return device


def exact_arithmetic() -> None:
    """Make CUDA deterministic and disable TF32, because rounding can change the predicted class."""
    import torch

    torch.backends.cudnn.deterministic = True
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = False


def out_of_memory(error: BaseException) -> bool:
    """Return whether an error means that the memory of the machine or of a GPU is exhausted."""
    if isinstance(error, MemoryError):
        return True
    if (torch := sys.modules.get("torch")) and isinstance(error, torch.OutOfMemoryError):
        return True
    return isinstance(error, RuntimeError) and "can't allocate memory" in str(error)  # torch's allocator on the CPU


def free_memory() -> None:
    """Return the GPU memory that torch caches to the device."""
    if (torch := sys.modules.get("torch")) and torch.cuda.is_available():
        torch.cuda.empty_cache()
