"""The Ray engine on a real cluster of two nodes on this machine: the records of the local engine, whatever is lost."""

import os
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from conftest import BIN, Run
from runs import records, wait_until

pytest.importorskip("ray", reason="Ray is not installed: pip install 'deep-protection[cluster]'")


@pytest.fixture(scope="module")
def ray_cluster(environment: dict[str, str]) -> Iterator[Any]:
    """A cluster of a head without cores, and what adds nodes of one core."""
    from ray.cluster_utils import Cluster

    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    os.environ["PATH"] = environment["PATH"]
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False})
    yield cluster
    cluster.shutdown()


@pytest.fixture
def two(ray_cluster: Any) -> Iterator[tuple[str, list[Any]]]:
    """The address, and two nodes of one core each."""
    nodes = [ray_cluster.add_node(num_cpus=1) for _ in range(2)]
    yield ray_cluster.address, nodes
    for node in nodes:
        if node in ray_cluster.list_all_nodes():
            ray_cluster.remove_node(node, allow_graceful=False)


def images(directory: Path) -> dict[str, bytes]:
    from dptools.pipe.image import decode

    return {path.name: decode(path.read_bytes()).pixels.tobytes() for path in directory.rglob("*.png")}


def test_the_records_and_images_of_the_local_engine(two: Any, sh: Run, samples: Path, tmp_path: Path) -> None:
    address, _ = two
    chosen = " ".join(str(path) for path in sorted(samples.glob("*/*"))[:4])
    tool = f"dp-denoise --method median:3 {chosen} no-such-file.png"
    local = sh(f"{tool} -o out; mv out local")
    ray = sh(f"{tool} -o out --engine ray:{address}")
    assert (ray.returncode, local.returncode) == (1, 0), ray.stderr
    assert ray.stderr == sh(f"{tool} -o local2").stderr
    assert records(ray.stdout) == records(local.stdout)
    assert images(tmp_path / "out") == images(tmp_path / "local")
    again = sh(f"{tool} -o out --engine ray:{address}")
    assert [record.get("cached") for record in records(again.stdout)] == [True] * 4 + [None]


def test_images_are_carried_where_there_are_no_shared_files(two: Any, sh: Run, dog: Path, tmp_path: Path) -> None:
    """Workers stand in the root directory then: a relative name that worked would mean that they were not carried."""
    address, _ = two
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "dog.jpg").write_bytes(dog.read_bytes())
    (tmp_path / "in" / "broken.jpg").write_bytes(dog.read_bytes()[:500])
    tool = "dp-attack -a gs -a agn --label 243 in gone.png"
    local = sh(f"{tool} -o out; mv out local")
    ray = sh(f"{tool} -o out --engine ray:{address} --ship")
    assert ray.returncode == 1
    assert records(ray.stdout) == records(local.stdout)
    assert images(tmp_path / "out") == images(tmp_path / "local")
    again = sh(f"{tool} -o out --engine ray:{address} --ship")
    assert sum(bool(record.get("cached")) for record in records(again.stdout)) == 2
    (tmp_path / "out" / "dog@gs.png").write_bytes(dog.read_bytes())
    foreign = records(sh(f"{tool} -o out --engine ray:{address} --ship").stdout)
    assert [each["error"]["type"] for each in foreign if "error" in each] == [
        "DamagedImage",
        "WriteError",
        "FileNotFoundError",
    ]


def test_one_image_goes_through_as_bytes(two: Any, sh: Run, dog: Path) -> None:
    ray = f"--engine ray:{two[0]}"
    made = sh(f"dp-denoise {ray} --method median:3 < {dog} | dp-classify {ray} -k 1")
    assert (made.returncode, len(records(made.stdout))) == (0, 1), made.stderr


def several(samples: Path) -> str:
    return " ".join(str(path) for path in sorted(samples.glob("*/*"))[:12])


def test_a_node_that_is_lost_in_the_middle_changes_no_record(
    ray_cluster: Any, two: Any, sh: Run, samples: Path, tmp_path: Path
) -> None:
    address, nodes = two
    tool = f"dp-denoise -o out --seed 3 {several(samples)}"
    local = sh(f"{tool}; mv out local")
    killed = threading.Event()

    def kill_one_when_work_is_under_way() -> None:
        while len(list((tmp_path / "out").rglob("*.png"))) < 4:
            time.sleep(0.05)
        ray_cluster.remove_node(nodes[0], allow_graceful=False)
        killed.set()

    thread = threading.Thread(target=kill_one_when_work_is_under_way)
    thread.start()
    ray = sh(f"{tool} --engine ray:{address} --batch-size 2")
    thread.join()
    assert killed.is_set()
    assert ray.returncode == 0, ray.stderr
    assert records(ray.stdout) == records(local.stdout)
    assert images(tmp_path / "out") == images(tmp_path / "local")


@pytest.mark.slow
def test_workers_that_are_killed_again_and_again_change_no_record(
    two: Any, sh: Run, samples: Path, tmp_path: Path
) -> None:
    tool = f"dp-denoise -o out {several(samples)}"
    local = sh(f"{tool}; mv out local")
    done = threading.Event()
    dead: list[str] = []

    def kill_now_and_then() -> None:
        while len(dead) < 3 and not done.wait(1):
            for pid in [pid for pid in workers() if pid not in dead][:1]:
                os.kill(int(pid), signal.SIGKILL)
                dead.append(pid)

    thread = threading.Thread(target=kill_now_and_then)
    thread.start()
    ray = sh(f"{tool} --engine ray:{two[0]}")
    done.set()
    thread.join()
    assert dead
    assert ray.returncode == 0, ray.stderr
    assert records(ray.stdout) == records(local.stdout)


@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGTERM])
def test_an_end_leaves_no_worker(
    two: Any, samples: Path, tmp_path: Path, environment: dict[str, str], end: Any
) -> None:
    command = [BIN / "dp-denoise", "--preset", "cold", "-o", tmp_path / "out", "--engine", f"ray:{two[0]}", samples]
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    ) as run:
        assert wait_until(lambda: bool(workers()), 30)
        run.send_signal(end)
        _, errors = run.communicate(timeout=60)
    assert run.returncode == -end
    assert errors == ""
    assert wait_until(lambda: not workers(), 30)


def workers() -> list[str]:
    """Those at work on this module's nodes; another cluster of this machine is none of its business."""
    nodes = found("-d", ",", "-P", str(os.getpid()), "raylet").strip()
    return found("-P", nodes, "-f", "ray::RemoteStage.run").split() if nodes else []


def found(*options: str) -> str:
    return subprocess.run(["pgrep", *options], capture_output=True, text=True).stdout


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("--engine ray:127.0.0.1:1", "no Ray cluster at 127.0.0.1:1"),
        ("--engine ray:nonsense", "no Ray cluster at nonsense"),
    ],
)
def test_a_cluster_that_is_not_there_is_told_on_one_line(sh: Run, dog: Path, options: str, message: str) -> None:
    ran = sh(f"dp-classify {options} {dog}", timeout=60)
    assert (ran.returncode, ran.stdout) == (3, "")
    assert ran.stderr.count("\n") == 1
    assert message in ran.stderr


@pytest.mark.parametrize(
    "options",
    [
        "--ship",
        "--gpus 1",
        "--engine raay",
        "--engine ray --device cuda:1",
        "--engine ray --model clarifai:x",
        "--engine inline:x",
    ],
)
def test_options_that_do_not_go_together_are_refused(sh: Run, dog: Path, options: str) -> None:
    ran = sh(f"dp-classify {options} {dog}")
    assert (ran.returncode, ran.stdout) == (2, "")


def test_a_cluster_without_a_gpu_says_so(two: Any, sh: Run, dog: Path) -> None:
    ran = sh(f"dp-classify --engine ray:{two[0]} --device cuda {dog}")
    assert ran.returncode == 3
    assert "the Ray cluster has no GPU" in ran.stderr


def test_local_runs_do_not_import_ray(sh: Run, dog: Path) -> None:
    ran = sh(f"python -X importtime -c 'from dptools.tools.classify.command import main; main()' {dog} 2>&1 >/dev/null")
    assert " ray" not in ran.stdout
