"""Create the engine that the options request: ``--engine``, ``--jobs``, ``--batch-size``, ``--gpus`` and ``--ship``."""

import os
from collections.abc import Callable, Iterable, Iterator, Sequence

from dptools.cli.options import Common
from dptools.devices import available_cores
from dptools.errors import SetupError, UsageError, check_name
from dptools.pipe.progress import progress
from dptools.pipe.sample import Sample
from dptools.pipe.stage import Engine, Stage, ToolOptions

ENGINES = ("local", "inline", "ray")
"""The engines: processes or threads of this machine, this process, and a Ray cluster."""

MAX_REQUESTS = 8
"""The default number of concurrent requests to a service."""


def make_engine(options: ToolOptions, one_image: bool, common: Common, device: str) -> Engine:
    """Return the engine that the options request.

    Args:
        options: The options of the tool.
        one_image: Whether the input is one image on standard input. It is then processed without another process.
        common: The common options.
        device: The name of the device.

    Raises:
        UsageError: The name is unknown, or options cannot be combined.
        SetupError: The engine needs a package that is not installed.
    """
    name, _, address = common.engine.partition(":")
    check_name("engine", name if name == "ray" else common.engine, ENGINES)
    if name == "ray":
        return _make_ray(options, common, device, address or None)
    if common.ship or common.gpus is not None:
        raise UsageError(f"{'--ship' if common.ship else '--gpus'} is for --engine ray")
    if name == "inline" or one_image:
        from dptools.engine.inline import inline

        return inline
    from dptools.engine.local import Local

    if options.io_bound:
        return Local(common.jobs or MAX_REQUESTS, 1, ordered=not common.unordered, threads=True)
    gpu = options.uses_gpu and (device.startswith(("cuda", "mps")) or (device == "auto" and _probably_has_gpu()))
    jobs = common.jobs or (1 if gpu else available_cores())
    batch_size = 1 if options.unbatched else common.batch_size or (options.gpu_batch if gpu else 1)
    return Local(jobs, batch_size, ordered=not common.unordered)


def with_progress(engine: Engine, count: Callable[[], int | None], suffixes: Sequence[str]) -> Engine:
    """Return an engine that shows its progress on the terminal.

    Args:
        engine: The engine.
        count: Returns the number of inputs, None if it is unknown.
        suffixes: The suffixes that the tool appends to ids, one for each output of an input.
    """

    def run(stage: Stage, samples: Iterable[Sample]) -> Iterator[Sample]:
        return progress(engine(stage, samples), stage.tool, count, suffixes)

    return run


def _make_ray(options: ToolOptions, common: Common, device: str, address: str | None) -> Engine:
    if options.io_bound:
        raise UsageError("--engine ray cannot be used with a service: this process sends the requests, several at once")
    if device == "mps":
        raise UsageError("--device mps: Ray does not schedule it: use --device cpu or cuda")
    if device.startswith("cuda:"):
        raise UsageError(f"--device {device}: Ray selects the GPU: use --device cuda")
    if common.ship and options.extra_directories:
        raise UsageError(f"--ship: workers that do not share files cannot write into {options.extra_directories[0]}")
    try:
        from dptools.engine.ray_cluster import Cluster
    except ImportError as error:
        raise SetupError(f"--engine ray needs Ray: pip install 'deep-protection[cluster]' ({error})") from None
    from dptools.pipe.shipping import shipping

    gpus = 0.0 if device == "cpu" or not options.uses_gpu else (common.gpus or 1.0) if device == "cuda" else common.gpus
    batch_size = 1 if options.unbatched else common.batch_size
    engine = Cluster(
        address, common.jobs, batch_size, not common.unordered, gpus, options.gpu_batch, shared=not common.ship
    )
    return shipping(engine) if common.ship else engine


def _probably_has_gpu() -> bool:
    """Return whether there is probably a usable GPU. Importing torch to be certain would take seconds."""
    return os.path.exists("/dev/nvidia0") and os.environ.get("CUDA_VISIBLE_DEVICES") != ""
