"""Write the network in 8-bit integers: ``python -m dptools.purifiers.denoiser.training.quantise``.

Weights and activations of the convolutions become 8-bit integers with fixed scales (ONNX Runtime's static quantisation,
compare arXiv 1712.05877). The scales are those of noisy photographs. A few convolutions at the end of the network stay
in fp32: they cause most of the rounding error.
"""

import argparse
import tempfile
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from numpy.typing import NDArray
from safetensors.torch import load_file
from torch import Tensor

from dptools.onnx_runtime import import_onnxruntime
from dptools.purifiers.denoiser.network import DenoiserUNet
from dptools.purifiers.denoiser.training.images import patches, read_tiles

EXACT = ("/body/out/out.0/first/Conv", "/body/out/out.1/first/Conv", "/body/up/ConvTranspose", "/tail/Conv")
"""The convolutions that stay in fp32. Measured one by one, these increase the error most."""

NOISE = (0.0, 12.0, 12.0, 24.0, 64.0)
"""Default standard deviations of the noise of the images that determine the scales, on the 8-bit scale, in turn."""

IMAGES, SIDE = 60, 224


def calibration_images(photographs: Path, noise: Sequence[float] = NOISE, seed: int = 0) -> Iterator[Tensor]:
    """Yield noisy patches of photographs, 1 x 3 x SIDE x SIDE, not clipped.

    Args:
        photographs: directory of photographs.
        noise: standard deviations on the 8-bit scale, in turn.
        seed: seed of the patches and the noise.
    """
    torch.manual_seed(seed)
    images = patches(read_tiles(photographs), IMAGES, SIDE)
    for number, image in enumerate(images):
        yield (image + noise[number % len(noise)] / 255 * torch.randn(image.shape))[None]


def quantise(network: DenoiserUNet, images: Iterator[Tensor], out: Path) -> None:
    """Write the network as an ONNX file with input ``images`` and output ``denoised``, B x 3 x H x W of any size."""
    import_onnxruntime()
    from onnxruntime.quantization import CalibrationMethod, QuantFormat, QuantType, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    with tempfile.TemporaryDirectory() as folder:
        exported, prepared = Path(folder) / "exported.onnx", Path(folder) / "prepared.onnx"
        _export(network, exported)
        quant_pre_process(str(exported), str(prepared), skip_symbolic_shape=True)
        quantize_static(
            str(prepared),
            str(out),
            _Reader(images),
            quant_format=QuantFormat.QDQ,
            per_channel=True,
            reduce_range=True,  # 7-bit weights: sums of 8-bit ones overflow on a CPU without VNNI
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            calibrate_method=CalibrationMethod.Percentile,
            op_types_to_quantize=["Conv", "ConvTranspose"],
            nodes_to_exclude=list(EXACT),
        )


def _export(network: DenoiserUNet, out: Path) -> None:
    axes = {0: "batch", 2: "height", 3: "width"}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # It is the older exporter, because the new one needs another package.
        torch.onnx.export(
            network,
            (torch.rand(1, 3, SIDE, SIDE),),
            out,
            dynamo=False,
            input_names=["images"],
            output_names=["denoised"],
            dynamic_axes={"images": axes, "denoised": axes},
        )


class _Reader:
    """What ONNX Runtime reads the images of the calibration from."""

    def __init__(self, images: Iterator[Tensor]) -> None:
        self._images = images

    def get_next(self) -> dict[str, NDArray[Any]] | None:
        image = next(self._images, None)
        return None if image is None else {"images": image.numpy()}


def main() -> None:
    """Read weights and photographs, and write the quantised network."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("weights", type=Path, help="weights file (safetensors)")
    parser.add_argument("--photographs", type=Path, required=True, help="directory of photographs")
    parser.add_argument("--noise", type=float, nargs="+", default=NOISE, help="standard deviations on the 8-bit scale")
    parser.add_argument("-o", "--out", type=Path, required=True, help="the ONNX file")
    options = parser.parse_args()
    network = DenoiserUNet().eval()
    network.load_state_dict({name: value.float() for name, value in load_file(options.weights).items()})
    with torch.no_grad():
        quantise(network, calibration_images(options.photographs, options.noise), options.out)


if __name__ == "__main__":
    main()
