"""The device to compute on, and its memory."""

import re
import sys
from typing import TYPE_CHECKING

from dptools.errors import SetupError, UsageError

if TYPE_CHECKING:
    import torch


def check_device(name: str) -> str:
    """The name itself.

    Raises:
        UsageError: it is none of ``auto``, ``cpu``, ``cuda``, ``cuda:N``.
    """
    if not re.fullmatch(r"auto|cpu|cuda(:\d+)?", name):
        raise UsageError(f"unknown device {name!r}: choose auto, cpu, cuda or cuda:N")
    return name


def resolve_device(name: str) -> "torch.device":
    """The device that a name means on this machine; ``auto`` is CUDA where torch can use it, else the CPU.

    Raises:
        UsageError: no device goes by this name.
        SetupError: this machine has no such device.
    """
    import torch

    if check_device(name) == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    device = torch.device(name)
    count = torch.cuda.device_count()
    if device.type == "cuda" and (device.index or 0) >= count:
        raise SetupError(f"device {name} is not there: torch can use {count} CUDA devices on this machine")
    return device


def exact_arithmetic() -> None:
    """Let CUDA give the same numbers every time, in full single precision: classes may hang on a last bit."""
    import torch

    torch.backends.cudnn.deterministic = True
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = False


def out_of_memory(error: BaseException) -> bool:
    """Whether an error says that memory, the machine's or a GPU's, did not suffice."""
    if isinstance(error, MemoryError):
        return True
    if (torch := sys.modules.get("torch")) and isinstance(error, torch.OutOfMemoryError):
        return True
    return isinstance(error, RuntimeError) and "can't allocate memory" in str(error)  # torch's allocator on the CPU


def free_memory() -> None:
    """Give back what torch keeps of a GPU's memory for later."""
    if (torch := sys.modules.get("torch")) and torch.cuda.is_available():
        torch.cuda.empty_cache()
