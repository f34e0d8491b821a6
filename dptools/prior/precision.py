"""The number format that the fit computes in."""

import torch


def autocast(device: torch.device, precision: str) -> torch.autocast:
    """The context for the forward pass; ``auto`` takes bfloat16 where the hardware multiplies it, else float32."""
    enabled = precision == "bf16" or (precision == "auto" and has_bf16(device))
    return torch.autocast(device.type, torch.bfloat16, enabled=enabled)


def has_bf16(device: torch.device) -> bool:
    """The device has instructions for bfloat16 products."""
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    return bool(torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported())
