"""Load purifiers by name."""

from typing import TYPE_CHECKING

from dptools.purifiers.method import DEFAULT, Method, parse_method

if TYPE_CHECKING:
    import torch

    from dptools.purifiers.purifier import Purifier


def load(method: str | Method = DEFAULT, *, device: "str | torch.device" = "cpu") -> "Purifier":
    """Return the purifier of this name, ready to use.

    Args:
        method: for example ``denoiser``, ``denoiser:24``, ``fast``, ``photo``, ``zero-shot``, ``dip``, ``paper``,
            ``jpeg:50`` or ``median:3``.
        device: device of the network; ``auto`` is CUDA if torch can use it, and otherwise the CPU.

    Raises:
        UsageError: there is no such method or device.

    Example:
        >>> load("denoiser")(torch.rand(2, 3, 224, 224)).shape
        torch.Size([2, 3, 224, 224])
    """
    from dptools.devices import resolve_device

    chosen = parse_method(method) if isinstance(method, str) else method
    torch_device = resolve_device(device) if isinstance(device, str) else device
    return _make(chosen).to(torch_device).eval()


def _make(method: Method) -> "Purifier":
    if method.filter:
        from dptools.purifiers.filters.purifier import FilterPurifier

        return FilterPurifier(method.filter)
    if method.fits:
        from dptools.purifiers.dip.purifier import DeepImagePrior
        from dptools.purifiers.dip.settings import FIT_SETTINGS

        return DeepImagePrior(FIT_SETTINGS[method.name])
    if method.optimised:
        from dptools.purifiers.zero_shot.purifier import ZeroShot

        return ZeroShot()
    from dptools.purifiers.denoiser.purifier import Denoiser
    from dptools.purifiers.denoiser.settings import settings_of

    return Denoiser(settings_of(method))
