"""Networks that a function of the user returns: ``FILE.py:FUNCTION`` or ``MODULE:FUNCTION``. This runs their code."""

import hashlib
import importlib
import importlib.util
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from difflib import get_close_matches
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from torch import nn

from dptools.classifiers.classifier import Classifier, Geometry
from dptools.classifiers.local import weights as weights_files
from dptools.classifiers.local.hidden_modules import check_registered
from dptools.classifiers.local.own import own_classifier
from dptools.classifiers.local.preprocessing import Preprocessing
from dptools.classifiers.local.user_errors import describe, is_users
from dptools.classifiers.names import ClassifierOptions
from dptools.classifiers.sizes import SIZE_HINT
from dptools.errors import SetupError, UsageError
from dptools.randomness import seeded
from dptools.texts import did_you_mean


def load(name: str, options: ClassifierOptions) -> Classifier:
    """Load a network from a function of the user, which takes no arguments and returns an ``nn.Module``.

    The code runs with the random state of seed 0, so that networks with random weights are equal in all
    processes. The preprocessing is that of the options, or else of the module's attribute ``pretrained_cfg``, as in
    timm. By default, images in [0, 1] are not normalised, and not cropped beyond a square.

    Raises:
        UsageError: the function or the input size is missing, or the network does not classify images, or hides parts.
        SetupError: the user's code fails, or returns no ``nn.Module``, or the weights do not fit.
    """
    source, _, function = name.rpartition(":")
    short = f"{Path(source).name}:{function}" if source.endswith(".py") else name
    with _users_code(short, (options.directory or Path.cwd()).absolute()) as imported:
        module = _import_file(source, options) if source.endswith(".py") else _import_module(source)
        network = _call(_find(module, function, source), short)
    check_registered(network, short)
    if options.weights:
        path = options.path(options.weights)
        weights_files.fill(network, weights_files.read(path), path)
    code = _hash_of_sources([module, *imported])
    try:
        tensors = weights_files.fingerprint_of(network)
    except RuntimeError as error:  # a lazy layer, or a network on the device meta
        raise SetupError(f"{short}: its weights cannot be read: {describe(error)}") from error
    weights = hashlib.sha256((code + tensors).encode()).hexdigest()[:16]
    return own_classifier(network.float(), short, weights, options, _preprocessing(network, options, short))


def _preprocessing(network: nn.Module, options: ClassifierOptions, name: str) -> Preprocessing:
    config = getattr(network, "pretrained_cfg", None)
    if isinstance(config, dict) and config.get("input_size"):
        try:
            return Preprocessing.of_timm(config, name)
        except (TypeError, ValueError, ArithmeticError) as error:
            raise UsageError(f"{name}: its pretrained_cfg is malformed: {describe(error)}") from error
    if options.size is None:
        raise UsageError(f"{name} does not state its input size: {SIZE_HINT}")
    return Preprocessing(Geometry(options.size, options.size))


def _import_file(source: str, options: ClassifierOptions) -> ModuleType:
    """Run a source file, and return it as a module. Modules beside the file can be imported from it."""
    path = options.path(source).absolute()
    if not path.is_file():
        raise SetupError(f"{source}: {'this is a directory' if path.is_dir() else 'No such file or directory'}")
    sys.path.insert(0, str(path.parent))
    spec = importlib.util.spec_from_file_location(f"_dptools_user_{path.stem}", path)
    assert spec
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    # The loader of the spec could run byte code of an older version of the file, if both have the same size and second.
    exec(compile(path.read_bytes(), path, "exec"), vars(module))
    return module


def _import_module(name: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name and f"{name}.".startswith(f"{error.name}."):
            raise UsageError(
                f"no module {error.name!r} in the current directory or among the installed packages"
            ) from None
        raise


def _find(module: ModuleType, function: str, source: str) -> Any:
    if hasattr(module, function):
        return getattr(module, function)
    own = [
        name
        for name, value in vars(module).items()
        if callable(value) and not name.startswith("_") and getattr(value, "__module__", "") == module.__name__
    ]
    hint = did_you_mean(get_close_matches(function, own, n=3)) or (f": it defines {', '.join(own[:20])}" if own else "")
    raise UsageError(f"{source} has no function {function!r}{hint}")


def _call(function: Any, name: str) -> nn.Module:
    """Call the function. A value that already is a module is returned as it is."""
    network = function() if callable(function) and not isinstance(function, nn.Module) else function
    if not isinstance(network, nn.Module):
        raise SetupError(f"{name} is or returns an object of type {type(network).__name__}; expected an nn.Module")
    return network


@contextmanager
def _users_code(name: str, directory: Path) -> Iterator[list[ModuleType]]:
    """Run code of the user: modules of the directory come first, and random numbers are those of seed 0.

    Afterwards, the user's directories come last, so that their modules cannot shadow others. Modules of the user that
    were imported are forgotten, so that another model can have other modules of the same names. Torch's modes are as
    before.

    Yields:
        A list that receives the user's modules that were imported.

    Raises:
        SetupError: the code fails. The message names file, line and error.
    """
    imported: list[ModuleType] = []
    path, modules = list(sys.path), set(sys.modules)
    gradients, dtype = torch.is_grad_enabled(), torch.get_default_dtype()
    sys.path.insert(0, str(directory))
    try:
        with seeded(0):
            yield imported
    except (UsageError, SetupError):
        raise
    except (Exception, SystemExit) as error:
        raise SetupError(f"{name}: {describe(error)}") from error
    finally:
        torch.set_grad_enabled(gradients)
        torch.set_default_dtype(dtype)
        sys.path[:] = [*path, *(entry for entry in sys.path if entry not in path)]
        for new in set(sys.modules) - modules:
            if is_users(Path(getattr(sys.modules[new], "__file__", None) or "")):
                imported.append(sys.modules.pop(new))


def _hash_of_sources(modules: Sequence[ModuleType]) -> str:
    """Return a hash of the source files of these modules."""
    files = {Path(file) for module in modules if (file := getattr(module, "__file__", None))}
    return "".join(sorted(hashlib.sha256(path.read_bytes()).hexdigest() for path in files if path.is_file()))
