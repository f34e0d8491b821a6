"""Programs that ``torch.export.save`` wrote: networks in one file, with gradients and without the user's code."""

import logging
import os
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from dptools.classifiers.classifier import Classifier, Geometry
from dptools.classifiers.local import weights as weights_files
from dptools.classifiers.local.own import own_classifier
from dptools.classifiers.local.preprocessing import Preprocessing
from dptools.classifiers.names import ClassifierOptions
from dptools.classifiers.sizes import input_size
from dptools.errors import SetupError, UsageError
from dptools.layers import in_batches

FORCE_SAFE = "TORCH_FORCE_WEIGHTS_ONLY_LOAD"
"""An environment variable that makes every ``torch.load`` refuse anything but tensors."""


def load(name: str, options: ClassifierOptions) -> Classifier:
    """Load an exported program. Its input is one batch of images, its output is scores.

    Raises:
        UsageError: the program is no image classifier, or the size in the options is not that of its input.
        SetupError: the file cannot be read, or holds pickled objects or machine code.
    """
    path = options.path(name)
    fingerprint = weights_files.fingerprint(path)
    network = ExportedNetwork(_program(path), path.name)
    size = input_size(network.size, options.size, path.name)
    return own_classifier(network, path.name, fingerprint, options, Preprocessing(Geometry(size, size)))


class ExportedNetwork(nn.Module):
    """An exported program as a module.

    The module of the program is kept in a list, because it does not support ``eval`` and ``to``.

    Attributes:
        size: side of the input in pixels; None if it accepts any.
        batch: the only accepted batch size; None if it accepts any.
    """

    def __init__(self, program: Any, name: str) -> None:
        """Wrap a program.

        Args:
            program: a ``torch.export.ExportedProgram``.
            name: its name, for error messages.

        Raises:
            UsageError: the program was exported in training mode, or does not have one input with three channels.
        """
        super().__init__()
        _refuse_training_mode(program, name)
        self._program, self._device = program, torch.device("cpu")
        self._module = [program.module().requires_grad_(False)]
        self.batch, self.size = _input_shape(program, name)

    def forward(self, images: Tensor) -> Tensor:
        """Return the scores, B x classes, of images B x 3 x H x W."""
        if images.device != self._device:
            from torch.export.passes import move_to_device_pass

            self._device = images.device
            moved = move_to_device_pass(self._program, images.device)
            self._module = [moved.module().requires_grad_(False)]
        return in_batches(self._module[0], images, self.batch)


def _refuse_training_mode(program: Any, name: str) -> None:
    """Check that no layer of a program behaves as in training: at random, or by the other images of the batch.

    Raises:
        UsageError: one does.
    """
    if any(map(_trains, program.graph.nodes)):
        raise UsageError(f"{name}: exported in training mode: call eval() before torch.export.export")


def _trains(node: Any) -> bool:
    """Return whether a node computes something else in training than in evaluation, and was exported in training."""
    schema = getattr(node.target, "_schema", None)
    arguments = (argument.name for argument in getattr(schema, "arguments", ()))
    values = dict(zip(arguments, node.args, strict=False)) | dict(node.kwargs)
    if values.get("training") is True or values.get("train") is True or values.get("dropout_p"):
        return True
    return "bernoulli" in getattr(schema, "name", "")  # stochastic depth, which has no such argument


def _input_shape(program: Any, name: str) -> tuple[int | None, int | None]:
    """Return the batch size and the side of the input; None for those that accept any number."""
    signature = program.graph_signature.user_inputs
    nodes = [node for node in program.graph.nodes if node.op == "placeholder" and node.name in signature]
    shapes = [tuple(getattr(node.meta.get("val"), "shape", ())) for node in nodes]
    if len(shapes) != 1 or len(shapes[0]) != 4 or shapes[0][1] != 3:
        found = ", ".join(" x ".join(map(str, shape)) or "no tensor" for shape in shapes)
        raise UsageError(f"{name}: its input is {found}; expected batch x 3 x height x width")
    batch, _, *sides = shapes[0]
    fixed = [side for side in sides if isinstance(side, int)]
    if len(set(fixed)) > 1:
        raise UsageError(f"{name}: its input is {' x '.join(map(str, sides))} pixels; expected a square")
    return batch if isinstance(batch, int) else None, fixed[0] if fixed else None


def _program(path: Path) -> Any:
    logging.getLogger("torch.export").setLevel(logging.ERROR)  # it shows tracebacks of errors that are reported below
    try:
        _refuse_code(path)
        with _only_tensors():
            return torch.export.load(path)
    except SetupError:
        raise
    except Exception as error:  # torch.export raises exceptions of many types
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise SetupError(
            f"{path}: not a program that torch.export.save of this torch version wrote: {reason}"
        ) from None


def _refuse_code(path: Path) -> None:
    """Check that an archive holds no machine code, and no pickled objects besides tensors.

    Raises:
        SetupError: it does.
    """
    with zipfile.ZipFile(path) as archive:
        names = archive.namelist()
        if not any(name.endswith("/archive_format") for name in names):
            raise ValueError("it holds no exported program")
        for name in names:
            folder, _, base = name.rpartition("/")
            tensor = base.startswith("tensor_") or base.endswith(("_config.json", ".pt"))
            if "aotinductor" in name or (folder.endswith("constants") and not tensor):
                raise SetupError(f"{path}: it holds {name}, which could run code: export a plain network")


@contextmanager
def _only_tensors() -> Iterator[None]:
    """Let ``torch.load`` accept tensors only, also where torch itself requests otherwise."""
    before = os.environ.get(FORCE_SAFE)
    os.environ[FORCE_SAFE] = "1"
    try:
        yield
    finally:
        os.environ.pop(FORCE_SAFE)
        if before is not None:
            os.environ[FORCE_SAFE] = before
