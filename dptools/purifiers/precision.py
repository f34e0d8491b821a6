"""The number format that the fit computes in."""

import torch


def effective(device: torch.device, precision: str) -> str:
    """``fp32`` or ``bf16``: what a precision means on a device. ``auto`` is bf16 where the hardware multiplies it."""
    return ("bf16" if has_bf16(device) else "fp32") if precision == "auto" else precision


def autocast(device: torch.device, precision: str) -> torch.autocast:
    """The context for the forward pass."""
    return torch.autocast(device.type, torch.bfloat16, enabled=effective(device, precision) == "bf16")


def has_bf16(device: torch.device) -> bool:
    """The device has instructions for bfloat16 products."""
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    return bool(torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported())
