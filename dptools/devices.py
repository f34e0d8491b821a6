"""Select the device to compute on, and handle its memory."""

import os
import re
import sys
from typing import TYPE_CHECKING

from dptools.errors import SetupError, UsageError

if TYPE_CHECKING:
    import torch


USE_CPU = ": use --device cpu (device='cpu' in Python)"
"""What to do without a GPU, for error messages."""


def check_device(name: str) -> str:
    """Return the name if it denotes a device, whether or not this machine has it.

    Raises:
        UsageError: The name is none of ``auto``, ``cpu``, ``mps``, ``cuda``, ``cuda:N``.
    """
    if not re.fullmatch(r"auto|cpu|mps|cuda(:\d+)?", name):
        raise UsageError(f"unknown device {name!r}: choose auto, cpu, cuda, cuda:N or mps")
    return name


def resolve_device(name: str) -> "torch.device":
    """Return the device of this machine that a name denotes; ``auto`` is CUDA if torch can use it, else the CPU.

    ``auto`` never selects MPS, the GPU of a Mac, because its results have not been compared with those of the others.

    Raises:
        UsageError: The name does not denote a device.
        SetupError: This machine does not have the device.
    """
    import torch

    if check_device(name) == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    device = torch.device(name)
    if device.type == "mps" and not torch.backends.mps.is_available():
        raise SetupError(f"device mps does not exist: torch can use no Metal GPU on this machine{USE_CPU}")
    count = torch.cuda.device_count()
    if device.type == "cuda" and (device.index or 0) >= count:
        devices = f"{count} CUDA device{'' if count == 1 else 's'}"
        hint = f": choose cuda:0{f' to cuda:{count - 1}' * (count > 1)}" if count else USE_CPU
        raise SetupError(f"device {name} does not exist: torch can use {devices} on this machine{hint}")
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
    messages = ("can't allocate memory", "MPS backend out of memory")  # of torch's allocators for the CPU and MPS
    return isinstance(error, RuntimeError) and any(message in str(error) for message in messages)


def free_memory() -> None:
    """Return the GPU memory that torch caches to the device."""
    if torch := sys.modules.get("torch"):
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        if torch.backends.mps.is_available():
            torch.mps.empty_cache()


def available_cores() -> int:
    """Return the number of cores that this process may use. macOS does not limit it, and only counts the cores."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
