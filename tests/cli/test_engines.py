"""Which engine the options of a command line give."""

from dataclasses import replace

import pytest

from dptools.cli import engines
from dptools.cli.engines import make_engine
from dptools.cli.options import Common
from dptools.engine.local import Local
from dptools.tools.denoise.options import DenoiseOptions


@pytest.mark.parametrize(
    ("method", "jobs", "batch_size"), [("denoiser", 1, 16), ("dip", 1, 1), ("paper", 1, 1), ("median:3", None, 1)]
)
def test_on_a_gpu_networks_run_in_one_process_and_filters_on_all_cores(
    method: str, jobs: int | None, batch_size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Fits run one after another, so a batch would only delay their results."""
    monkeypatch.setattr(engines, "_probably_has_gpu", lambda: True)
    monkeypatch.setattr(engines.os, "sched_getaffinity", lambda _: {0, 1, 2})
    engine = make_engine(DenoiseOptions(method), False, replace(Common(), operands=["a"]), "auto")
    assert isinstance(engine, Local)
    assert (engine.jobs, engine.batch_size) == (jobs or 3, batch_size)
