"""A Ray that the tool starts itself: the records of the local engine, and nothing of it outlives the tool for long."""

import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import BIN, Run
from runs import records, wait_until

pytest.importorskip("ray", reason="Ray is not installed: pip install 'deep-protection[cluster]'")

SOON = 10.0
"""Seconds after the tool's end in which all that its Ray began has ended: twice what is given to Ray's own end."""


def keeper(tool: int) -> int | None:
    """The process that the tool started to keep Ray; what Ray begins is of its session."""
    found = subprocess.run(["pgrep", "-P", str(tool), "-f", "dptools.engine.keeper"], capture_output=True, text=True)
    return int(found.stdout) if found.stdout else None


def living(session: int) -> list[str]:
    """What runs in a session, but for those that only wait for their parent to look."""
    found = subprocess.run(
        ["ps", "-ww", "-o", "stat=", "-o", "args=", "-s", str(session)], capture_output=True, text=True
    )
    return [line for line in found.stdout.splitlines() if not line.startswith("Z")]


def starting(session: int) -> bool:
    return any("gcs_server" in line for line in living(session))


def working(session: int) -> bool:
    return any("ray::RemoteStage.run" in line for line in living(session))


def test_the_records_of_the_local_engine(sh: Run, samples: Path) -> None:
    chosen = " ".join(str(path) for path in sorted(samples.glob("*/*"))[:3])
    tool = f"dp-denoise --method median:3 {chosen} no-such-file.png"
    local = sh(f"{tool} -o out; mv out local")
    ray = sh(f"{tool} -o out --engine ray -j 2")
    assert (ray.returncode, ray.stderr) == (1, sh(f"{tool} -o local2").stderr)
    assert records(ray.stdout) == records(local.stdout)


@pytest.mark.parametrize("moment", [starting, working])
@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_a_signal_ends_the_tool_by_itself_and_its_ray_soon(
    samples: Path, tmp_path: Path, environment: dict[str, str], end: signal.Signals, moment: Callable[[int], bool]
) -> None:
    alone = {key: value for key, value in environment.items() if key != "RAY_ADDRESS"}
    command = [BIN / "dp-denoise", "--preset", "cold", "-j", "1", "-o", tmp_path, "--engine", "ray", samples]
    with subprocess.Popen(command, env=alone, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as run:
        try:
            assert wait_until(lambda: keeper(run.pid) is not None, 60)
            session = keeper(run.pid) or 0
            assert wait_until(lambda: moment(session), 60)
            run.send_signal(end)
            _, errors = run.communicate(timeout=60)
        finally:
            run.kill()
    assert (run.returncode, errors) == (-end, "")
    assert wait_until(lambda: not living(session), SOON), living(session)


def test_a_ray_that_cannot_be_started_is_told_on_one_line(sh: Run, dog: Path, environment: dict[str, str]) -> None:
    ran = sh(f"dp-classify --engine ray {dog}", env={**environment, "RAY_TMPDIR": "/dev/null/x"}, timeout=60)
    assert (ran.returncode, ran.stdout, ran.stderr.count("\n")) == (3, "", 1)
    assert "Ray cannot be started on this machine: " in ran.stderr


LOOK = """
import os, subprocess
from dptools.engine.keeper import own_ray

with own_ray() as address:
    look = ["ray", "status", "--address", address]
    print(subprocess.run(look, capture_output=True).returncode, flush=True)
    del os.environ["RAY_AUTH_TOKEN"]
    print(subprocess.run(look, capture_output=True).returncode)
"""


def test_nobody_else_may_use_it(sh: Run, environment: dict[str, str]) -> None:
    """Ray listens to the network, but only to those who know the secret of this run."""
    ran = sh("python -", input=LOOK, stdin=None, env={**environment, "HOME": "."})
    assert ran.stdout == "0\n1\n", ran.stderr
