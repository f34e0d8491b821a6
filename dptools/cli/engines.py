"""Where a tool's work is done, out of ``--engine`` and the options that go with it."""

import os
from collections.abc import Iterable, Iterator

from dptools.cli.options import Common
from dptools.errors import SetupError, UsageError, check_name
from dptools.pipe.progress import progress
from dptools.pipe.sample import Sample
from dptools.pipe.stage import Engine, Stage, ToolOptions

ENGINES = ("local", "inline", "ray")
"""Processes of this machine, none but this one, or those of a Ray cluster."""

REQUESTS = 8
"""At once, to a service."""


def engine_of(stage: ToolOptions, one_image: bool, common: Common, device: str) -> Engine:
    """
    Args:
        one_image: a second process would only cost its start.

    Raises:
        UsageError: there is none of this name, or options do not go together.
        SetupError: it needs a package that is not installed.
    """
    name, _, address = common.engine.partition(":")
    check_name("engine", name if name == "ray" else common.engine, ENGINES)
    if name == "ray":
        return _ray(stage, common, device, address or None)
    if common.ship or common.gpus is not None:
        raise UsageError(f"{'--ship' if common.ship else '--gpus'} is for --engine ray")
    if name == "inline" or one_image:
        from dptools.engine.inline import inline

        return inline
    from dptools.engine.local import Local

    if stage.waits:
        return Local(common.jobs or REQUESTS, 1, ordered=not common.unordered, threads=True)
    gpu = device.startswith("cuda") or (device == "auto" and _has_gpu())
    jobs = common.jobs or (1 if gpu else len(os.sched_getaffinity(0)))
    batch_size = 1 if stage.alone else common.batch_size or (stage.gpu_batch if gpu else 1)
    return Local(jobs, batch_size, ordered=not common.unordered)


def _ray(stage: ToolOptions, common: Common, device: str, address: str | None) -> Engine:
    if stage.waits:
        raise UsageError("--engine ray is for what computes: a service is asked from here, many images at once")
    if device.startswith("cuda:"):
        raise UsageError(f"--device {device}: Ray chooses among GPUs; write cuda")
    if common.ship and stage.directories:
        raise UsageError(f"--ship: workers that see no files of ours cannot write into {stage.directories[0]}")
    try:
        from dptools.engine.ray_cluster import Cluster
    except ImportError as error:
        raise SetupError(f"--engine ray needs Ray: pip install 'deep-protection[cluster]' ({error})") from None
    from dptools.pipe.shipping import shipping

    gpus = 0.0 if device == "cpu" else (common.gpus or 1.0) if device == "cuda" else common.gpus
    batch_size = 1 if stage.alone else common.batch_size
    engine = Cluster(
        address, common.jobs, batch_size, not common.unordered, gpus, stage.gpu_batch, shared=not common.ship
    )
    return shipping(engine) if common.ship else engine


def _has_gpu() -> bool:
    """A guess that does not wait for torch."""
    return os.path.exists("/dev/nvidia0") and os.environ.get("CUDA_VISIBLE_DEVICES") != ""


def with_progress(engine: Engine) -> Engine:
    """It tells on the terminal how far it is."""

    def shown(stage: Stage, samples: Iterable[Sample]) -> Iterator[Sample]:
        return progress(engine(stage, samples), stage.tool)

    return shown
