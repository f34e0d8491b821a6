"""The number format of a network's computation."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

PRECISIONS = ("auto", "fp32", "bf16")


def effective(device: "torch.device", precision: str) -> str:
    """Return ``fp32`` or ``bf16``. ``auto`` is bf16 if :func:`has_bf16` is true, and otherwise fp32."""
    return ("bf16" if has_bf16(device) else "fp32") if precision == "auto" else precision


def autocast(device: "torch.device", precision: str) -> "torch.autocast":
    """Return the context for a forward pass.

    Args:
        device: device of the network.
        precision: one of PRECISIONS.
    """
    import torch

    enabled = effective(device, precision) == "bf16"
    return torch.autocast(device.type, torch.bfloat16, enabled=enabled)


def has_bf16(device: "torch.device") -> bool:
    """Return whether the device multiplies matrices of bfloat16 numbers faster than those of float32 numbers.

    A CPU needs AMX for that. With AVX512-BF16 only, the denoiser takes 1.8 times as long in bfloat16 as in float32.
    """
    import torch

    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    return device.type == "cpu" and bool(torch.cpu._is_amx_tile_supported())
