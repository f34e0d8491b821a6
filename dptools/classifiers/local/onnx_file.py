"""Networks in ONNX files, which ONNX Runtime computes without gradients."""

import hashlib
import re
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from dptools.classifiers.classifier import Classifier, Geometry
from dptools.classifiers.local import weights as weights_files
from dptools.classifiers.local.own import own_classifier
from dptools.classifiers.local.preprocessing import Preprocessing
from dptools.classifiers.names import ClassifierOptions
from dptools.classifiers.sizes import input_size
from dptools.classifiers.without_gradient import WithoutGradient
from dptools.errors import SetupError, UsageError
from dptools.layers import in_batches
from dptools.onnx_runtime import import_onnxruntime

TYPES = {"tensor(float)": np.float32, "tensor(float16)": np.float16, "tensor(double)": np.float64}
"""Types of input that are supported, as ONNX Runtime names them."""


def load(name: str, options: ClassifierOptions) -> Classifier:
    """Load an ONNX file. Its input is one image batch with three channels, first or last; its output is scores.

    Raises:
        UsageError: the file describes no image classifier or one in training mode, or the size in the options is not
            that of its input.
        SetupError: the file cannot be read.
    """
    path = options.path(name)
    fingerprint = _fingerprint(path)
    network = OnnxNetwork(path)
    size = input_size(network.size, options.size, path.name)
    preprocessing = Preprocessing(Geometry(size, size))
    return own_classifier(network, path.name, fingerprint, options, preprocessing, repeatable=True)


class OnnxNetwork(nn.Module):
    """A network in an ONNX file.

    Attributes:
        path: the file.
        size: side of the input in pixels; None if it accepts any.
        batch: the only accepted batch size; None if it accepts any.
    """

    def __init__(self, path: Path) -> None:
        """Load the file.

        Raises:
            UsageError: the file describes no image classifier.
            SetupError: the file cannot be read.
        """
        super().__init__()
        self.path = path
        self._sessions = {"cpu": _session(path, torch.device("cpu"))}
        self._input = self._image_input()
        batch, *dimensions = self._input.shape
        self._channels_last = dimensions[0] != 3
        sides = dimensions[:2] if self._channels_last else dimensions[1:]
        fixed = [side for side in sides if isinstance(side, int)]
        if len(set(fixed)) > 1:
            raise UsageError(f"{path.name}: its input is {' x '.join(map(str, sides))} pixels; expected a square")
        self.size = fixed[0] if fixed else None
        self.batch = batch if isinstance(batch, int) else None
        self._output = self._scores_output()

    def forward(self, images: Tensor) -> Tensor:
        """Return the scores, B x classes, of images B x 3 x H x W. The backward pass raises a ``SampleError``."""
        scores: Tensor = WithoutGradient.apply(images, self._compute, self.path.name)
        return scores

    def _compute(self, images: Tensor) -> Tensor:
        return in_batches(self._run, images, self.batch)

    def _run(self, images: Tensor) -> Tensor:
        if images.device.type not in self._sessions:
            self._sessions[images.device.type] = _session(self.path, images.device)
        array = (images.permute(0, 2, 3, 1) if self._channels_last else images).contiguous().cpu().numpy()
        feed = {self._input.name: array.astype(TYPES[self._input.type])}
        (scores,) = self._sessions[images.device.type].run([self._output.name], feed)
        return torch.from_numpy(np.asarray(scores, np.float32)).to(images.device)

    def _image_input(self) -> Any:
        inputs = self._sessions["cpu"].get_inputs()
        if len(inputs) != 1:
            raise UsageError(f"{self.path.name} has {len(inputs)} inputs; expected one, the image")
        (tensor,) = inputs
        shape = tensor.shape or []
        if len(shape) != 4 or 3 not in (shape[1], shape[3]) or tensor.type not in TYPES:
            raise UsageError(
                f"{self.path.name}: its input is {tensor.type}, {' x '.join(map(str, shape))}; expected floats, "
                "batch x 3 x height x width or batch x height x width x 3"
            )
        return tensor

    def _scores_output(self) -> Any:
        """Return the first output that is a table of floating-point numbers, such as batch x classes."""
        outputs = self._sessions["cpu"].get_outputs()
        found = [output for output in outputs if output.type in TYPES and len(output.shape or []) == 2]
        if not found:
            shapes = ", ".join(f"{output.name}: {output.type} {output.shape}" for output in outputs)
            raise UsageError(f"{self.path.name} has no output batch x classes: it has {shapes}")
        return found[0]


def _session(path: Path, device: torch.device) -> Any:
    """Return a session on the GPU, if the device is one and ONNX Runtime supports it, and otherwise on the CPU."""
    onnxruntime = import_onnxruntime()

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    options.log_severity_level = 3  # errors
    providers: list[Any] = ["CPUExecutionProvider"]
    if device.type == "cuda" and "CUDAExecutionProvider" in onnxruntime.get_available_providers():
        providers.insert(0, ("CUDAExecutionProvider", {"device_id": device.index or 0}))
    try:
        return onnxruntime.InferenceSession(path, options, providers=providers)
    except Exception as error:  # ONNX Runtime has no common base class for its errors
        raise SetupError(f"{path}: not a usable ONNX file: {' '.join(str(error).split())[:300]}") from None


def _fingerprint(path: Path) -> str:
    """Return a hash of the file and of the files with weights that it refers to.

    A reference is a pair of the key ``location`` and a file name in the format of Protocol Buffers.
    """
    own = weights_files.fingerprint(path)
    names = {
        content[match.end() : match.end() + match[1][0]]
        for content in [path.read_bytes()]
        for match in re.finditer(rb"\n\x08location\x12([\x01-\x7f])", content)
    }
    others = [path.parent / name.decode("utf-8", "replace") for name in sorted(names)]
    hashes = [weights_files.fingerprint(other) for other in others if other.is_file()]
    return hashlib.sha256("".join([own, *hashes]).encode()).hexdigest()[:16] if hashes else own
