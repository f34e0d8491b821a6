"""The Ray engine on a cluster of two nodes of this machine: it returns what the local engine returns.

Also if workers crash or a machine is lost.
"""

import io
import os
import pickle
import signal
import subprocess
import threading
from collections.abc import Iterator
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from classifiers.own_models import write_mine
from conftest import BIN, TESTS, Run
from gates import PATIENCE, Gate
from runs import records, started, wait_until
from tars import labelled, tar
from toys import Toy, sample

from dptools.errors import SetupError
from dptools.pipe.sample import Sample
from dptools.pipe.source import open_source

# The engine must be imported before Ray, because it sets environment variables that Ray reads when it is imported.
if not find_spec("ray"):
    pytest.skip("Ray is not installed: pip install 'deep-protection[cluster]'", allow_module_level=True)

from dptools.engine.ray_actor import RemoteStage
from dptools.engine.ray_cluster import Cluster

Nodes = tuple[str, list[Any]]


@pytest.fixture(scope="module")
def ray_cluster(environment: dict[str, str]) -> Iterator[Any]:
    """Return a cluster whose head has no cores and to which tests add nodes."""
    from ray import cluster_utils

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        patch.setenv("PATH", environment["PATH"])
        # Workers import the stages of the tests, and this copy of dptools even if another one is installed.
        patch.setenv("PYTHONPATH", f"{TESTS}{os.pathsep}{TESTS.parent}")
        head = {"num_cpus": 0, "include_dashboard": False}
        cluster = cluster_utils.Cluster(initialize_head=True, head_node_args=head)
        yield cluster
        cluster.shutdown()


@pytest.fixture
def two(ray_cluster: Any) -> Nodes:
    """Return the address of the cluster, and two nodes of one core each. Replaces nodes that other tests removed."""
    while len(ray_cluster.worker_nodes) < 2:
        ray_cluster.add_node(num_cpus=1)
    return ray_cluster.address, list(ray_cluster.worker_nodes)


def images(directory: Path) -> dict[str, bytes]:
    """Return the pixels of every image in a directory, by name."""
    from dptools.pipe.image import decode

    return {path.name: decode(path.read_bytes()).pixels.tobytes() for path in directory.rglob("*.png")}


def photographs(samples: Path, count: int) -> str:
    return " ".join(str(path) for path in sorted(samples.glob("*/*"))[:count])


def test_workers_load_a_model_of_the_user(two: Nodes, sh: Run, dog: Path, tmp_path: Path) -> None:
    write_mine(tmp_path)
    for model, ship in (("mine.py:network --weights mine.pth", ""), ("mine:network", "--ship")):
        done = sh(f"dp-classify --model {model} --size 32 --classes names.txt {ship} --engine ray:{two[0]} {dog}")
        assert done.returncode == 0, done.stderr
        assert len(records(done.stdout)[0]["classify"]["top"]) == 5


def test_records_and_images_equal_those_of_the_local_engine(two: Nodes, sh: Run, samples: Path, tmp_path: Path) -> None:
    address, _ = two
    tool = f"dp-denoise --method median:3 {photographs(samples, 4)} no-such-file.png"
    local = sh(f"{tool} -o out; mv out local")
    ray = sh(f"{tool} -o out --engine ray:{address}")
    assert (ray.returncode, local.returncode) == (1, 0), ray.stderr
    assert ray.stderr == sh(f"{tool} -o local2").stderr
    assert records(ray.stdout) == records(local.stdout)
    assert images(tmp_path / "out") == images(tmp_path / "local")
    again = sh(f"{tool} -o out --engine ray:{address}")
    assert [record.get("cached") for record in records(again.stdout)] == [True] * 4 + [None]


def test_the_address_may_be_in_the_environment(two: Nodes, sh: Run, samples: Path, environment: dict[str, str]) -> None:
    tool = f"dp-denoise --method median:3 {photographs(samples, 3)} no-such-file.png"
    local = sh(f"{tool} -o out; mv out local")
    ray = sh(f"{tool} -o out --engine ray -j 2", env={**environment, "RAY_ADDRESS": two[0]})
    assert (ray.returncode, ray.stderr) == (1, sh(f"{tool} -o local2").stderr)
    assert records(ray.stdout) == records(local.stdout)


def test_a_run_ends_although_some_of_its_workers_have_found_no_room(two: Nodes, sh: Run, samples: Path) -> None:
    ran = sh(f"dp-denoise --method median:3 {photographs(samples, 6)} -o out --engine ray:{two[0]} -j 4")
    assert (ran.returncode, ran.stderr, len(records(ran.stdout))) == (0, "", 6)


def test_workers_without_shared_files_get_the_images(two: Nodes, sh: Run, dog: Path, tmp_path: Path) -> None:
    """Such workers run in the root directory, so a relative path cannot lead them to a file."""
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
    overwriting = records(sh(f"{tool} -o out --engine ray:{address} --ship").stdout)
    assert [record["error"]["type"] for record in overwriting if "error" in record] == [
        "DamagedImage",
        "WriteError",
        "FileNotFoundError",
    ]


def test_workers_read_shards_themselves(two: Nodes, sh: Run, tmp_path: Path) -> None:
    (tmp_path / "1.tar").write_bytes(tar([*labelled("ab"), ("bad.jpg", b"no image"), *labelled("c")]))
    (tmp_path / "2.tar").write_bytes(tar(labelled("xyz"))[:6000])
    (tmp_path / "3.tar").write_bytes(tar(labelled("pq")))
    tool = "dp-denoise --method median:3 1.tar 2.tar 3.tar"
    for out in ("out", "out.tar"):
        local = sh(f"{tool} -o {out}; mv {out} local-{out}")
        ray = sh(f"{tool} -o {out} --engine ray:{two[0]}")
        assert ray.returncode == 1
        assert ray.stderr == local.stderr
        assert records(ray.stdout) == records(local.stdout)
        again = sh(f"{tool} -o {out} --engine ray:{two[0]}")
        assert sum(bool(record.get("cached")) for record in records(again.stdout)) == 7
    assert images(tmp_path / "out") == images(tmp_path / "local-out")
    assert (tmp_path / "out.tar").read_bytes() == (tmp_path / "local-out.tar").read_bytes()
    shipped = sh(f"{tool} -o shipped.tar --engine ray:{two[0]} --ship")
    assert (tmp_path / "shipped.tar").read_bytes() == (tmp_path / "out.tar").read_bytes(), shipped.stderr


def test_a_machine_without_the_shard_is_reported(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "s.tar").write_bytes(tar(labelled("a")))
    (item,) = open_source([str(tmp_path / "s.tar")], io.BytesIO()).samples
    (tmp_path / "s.tar").unlink()
    monkeypatch.setattr("dptools.engine.ray_actor.forward_log", lambda _: None)  # It would change pytest's logging.
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SetupError, match=r"has no file .*s\.tar: share it or send the images \(--ship\)"):
        RemoteStage(pickle.dumps(Toy()), str(tmp_path), version("deep-protection")).run([item])


def test_a_single_image_is_sent_as_bytes(two: Nodes, sh: Run, dog: Path) -> None:
    ray = f"--engine ray:{two[0]}"
    classified = sh(f"dp-denoise {ray} --method median:3 < {dog} | dp-classify {ray} -k 1")
    assert (classified.returncode, len(records(classified.stdout))) == (0, 1), classified.stderr


def test_a_node_that_is_lost_while_idle_changes_no_record(
    ray_cluster: Any, two: Nodes, samples: Path, sh: Run, tmp_path: Path, environment: dict[str, str]
) -> None:
    address, nodes = two
    names = [f"{path}\n" for path in sorted(samples.glob("*/*"))[:12]]
    tool = ["dp-denoise", "--method", "median:3", "-o", "out"]
    local = sh(f"{' '.join(tool)}; mv out local", stdin=None, input="".join(names))
    with started(
        [*tool, "--engine", f"ray:{address}"],
        cwd=tmp_path,
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as run:
        assert run.stdin
        run.stdin.write("".join(names[:4]))
        run.stdin.flush()
        assert wait_until(lambda: len(list((tmp_path / "out").rglob("*.png"))) == 4, 2 * PATIENCE)
        ray_cluster.remove_node(nodes[0], allow_graceful=False)
        output, _ = run.communicate("".join(names[4:]), timeout=2 * PATIENCE)
    assert run.returncode == 0
    assert records(output) == records(local.stdout)
    assert images(tmp_path / "out") == images(tmp_path / "local")


def test_a_node_that_is_lost_with_a_busy_worker_loses_no_image(ray_cluster: Any, two: Nodes, tmp_path: Path) -> None:
    """No node has room for a new worker then, so the batch must go to the worker that is left."""

    def lose_a_node() -> None:
        for name in "01":
            gate.wait_for_worker(name)
        ray_cluster.remove_node(nodes[0], allow_graceful=False)
        gate.open("lost")

    address, nodes = two
    gate = Gate(tmp_path)
    items = [sample(str(number), wait_for="lost") for number in range(6)]
    results = run_beside(lose_a_node, Cluster(address)(gate, items))
    assert [(item.id, item.failed) for item in results] == [(item.id, False) for item in items]


def test_workers_that_are_killed_again_and_again_lose_no_image(two: Nodes, tmp_path: Path) -> None:
    def kill_workers() -> None:
        for name in killed:
            os.kill(gate.wait_for_worker(name), signal.SIGKILL)
            gate.open(f"{name}.go")

    killed = ("1", "4", "8")
    gate = Gate(tmp_path)
    items = [sample(str(n), wait_for=f"{n}.go" if str(n) in killed else None) for n in range(12)]
    results = run_beside(kill_workers, Cluster(two[0])(gate, items))
    assert [(item.id, item.failed) for item in results] == [(item.id, False) for item in items]


def run_beside(action: Any, results: Iterator[Sample]) -> list[Sample]:
    """Return the results of a run, during which a thread performs an action."""
    thread = threading.Thread(target=action)
    thread.start()
    try:
        return list(results)
    finally:
        thread.join()


@pytest.mark.parametrize("crash", ["kill", "exit"])
def test_an_image_that_kills_its_workers_becomes_an_error_record(two: Nodes, tmp_path: Path, crash: str) -> None:
    items = [sample("a"), sample("b"), sample("c", crash=crash), sample("d"), sample("e")]
    results = list(Cluster(two[0], batch_size=2)(Gate(tmp_path), items))
    assert [item.id for item in results] == ["a", "b", "c", "d", "e"]
    assert [item.failed for item in results] == [False, False, True, False, False]
    assert results[2].record["error"] == {
        "stage": "dp-gate",
        "type": "WorkerDied",
        "message": "3 workers died on this image: the process or its machine ended",
    }


def test_a_stage_that_cannot_be_built_ends_the_run(two: Nodes) -> None:
    with pytest.raises(SetupError, match="no weights"):
        list(Cluster(two[0])(Toy(), [sample("a", do="setup"), sample("b")]))


def test_messages_of_workers_are_logged_in_this_process(two: Nodes, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("INFO", logger="dptools"):
        list(Cluster(two[0], jobs=1)(Toy(), [sample(name, do="tell") for name in "abc"]))
    assert [record.getMessage() for record in caplog.records] == ["a: half way", "b: half way", "c: half way"]


@pytest.mark.parametrize(
    ("directory", "expected_version", "message"),
    [
        ("/no/such/directory", version("deep-protection"), "has no directory /no/such/directory: share it or send"),
        (None, "0.0.0", "but this is 0.0.0"),
    ],
)
def test_a_machine_that_does_not_fit_is_reported(
    monkeypatch: pytest.MonkeyPatch, directory: str | None, expected_version: str, message: str
) -> None:
    monkeypatch.setattr("dptools.engine.ray_actor.forward_log", lambda _: None)  # It would change pytest's logging.
    with pytest.raises(SetupError, match=message):
        RemoteStage(pickle.dumps(Toy()), directory, expected_version).run([sample("a")])


@pytest.mark.parametrize("signal_number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_signal_ends_the_tool_and_its_workers(
    two: Nodes, samples: Path, tmp_path: Path, environment: dict[str, str], signal_number: signal.Signals
) -> None:
    command = [BIN / "dp-denoise", "--method", "dip", "-o", tmp_path / "out", "--engine", f"ray:{two[0]}", samples]
    with started(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as run:
        assert wait_until(lambda: bool(busy_workers()), PATIENCE)
        run.send_signal(signal_number)
        _, errors = run.communicate(timeout=PATIENCE)
    assert (run.returncode, errors) == (-signal_number, "")
    assert wait_until(lambda: not busy_workers(), PATIENCE)


def busy_workers() -> list[str]:
    """Return the ids of the busy workers of this module's nodes. Other clusters may run on this machine."""
    nodes = pgrep("-d", ",", "-P", str(os.getpid()), "raylet").strip()
    return pgrep("-P", nodes, "-f", "ray::RemoteStage.run").split() if nodes else []


def pgrep(*options: str) -> str:
    return subprocess.run(["pgrep", *options], capture_output=True, text=True).stdout


@pytest.mark.parametrize(
    ("engine", "message"),
    [
        ("ray:127.0.0.1:1", "no Ray cluster at 127.0.0.1:1"),
        ("ray:nonsense", "no Ray cluster at nonsense"),
        ("ray", "no Ray cluster is named: start one with 'ray start --head'"),
        ("ray:local", "no Ray cluster is named"),
    ],
)
def test_a_missing_cluster_is_reported_in_one_line(
    sh: Run, dog: Path, environment: dict[str, str], engine: str, message: str
) -> None:
    without_address = {name: value for name, value in environment.items() if name != "RAY_ADDRESS"}
    ran = sh(f"dp-classify --engine {engine} {dog}", env=without_address, timeout=PATIENCE)
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
def test_options_that_exclude_each_other_are_rejected(sh: Run, dog: Path, options: str) -> None:
    ran = sh(f"dp-classify {options} {dog}")
    assert (ran.returncode, ran.stdout) == (2, "")


def test_a_cluster_without_a_gpu_is_reported(two: Nodes, sh: Run, dog: Path) -> None:
    ran = sh(f"dp-classify --engine ray:{two[0]} --device cuda {dog}")
    assert ran.returncode == 3
    assert "the Ray cluster has no GPU" in ran.stderr


def test_local_runs_do_not_import_ray(sh: Run, dog: Path) -> None:
    ran = sh(f"python -X importtime -c 'from dptools.tools.classify.command import main; main()' {dog} 2>&1 >/dev/null")
    assert "dptools.engine.local" in ran.stdout
    assert " ray" not in ran.stdout
