"""The Open Inference Protocol with a real server: MLServer with the bundled classifier."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from conftest import BIN, Run

INPUTS = {"numbers": ("FP32", [-1, 3, 224, 224]), "bytes": ("BYTES", [-1]), "last": ("UINT8", [-1, 224, 224, 3])}
RUNTIME = Path(__file__).parents[1] / "mlserver" / "bundled.py"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Start a server with one model per input type, and return its address."""
    pytest.importorskip("mlserver", reason="MLServer is not installed: pip install mlserver")
    directory = tmp_path_factory.mktemp("mlserver")
    http, grpc, metrics = free_ports(3)
    settings = {"host": "127.0.0.1", "http_port": http, "grpc_port": grpc, "metrics_port": metrics}
    write_json(directory / "settings.json", {**settings, "parallel_workers": 0, "debug": False})
    for name, (datatype, shape) in INPUTS.items():
        (directory / name).mkdir()
        shutil.copy(RUNTIME, directory / name / "bundled.py")
        image = {"name": "image", "datatype": datatype, "shape": shape}
        scores = {"name": "scores", "datatype": "FP32", "shape": [-1, 1000]}
        model = {"name": name, "implementation": "bundled.Bundled", "inputs": [image], "outputs": [scores]}
        write_json(directory / name / "model-settings.json", model)
    with (directory / "log").open("w") as log:
        command = [sys.executable, BIN / "mlserver", "start", directory]
        process = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)
    try:
        wait_until_ready(process, f"http://127.0.0.1:{http}", directory / "log")
        yield f"oip+http://127.0.0.1:{http}"
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    for opened in sockets:
        opened.bind(("127.0.0.1", 0))
    ports = [opened.getsockname()[1] for opened in sockets]
    for opened in sockets:
        opened.close()
    return ports


def write_json(path: Path, content: object) -> None:
    path.write_text(json.dumps(content))


def wait_until_ready(process: subprocess.Popen[bytes], url: str, log: Path) -> None:
    for _ in range(1200):
        if process.poll() is not None:
            break
        try:
            if all(httpx.get(f"{url}/v2/models/{name}/ready").status_code == 200 for name in INPUTS):
                return
        except httpx.RequestError:
            pass
        time.sleep(0.1)
    pytest.fail(f"MLServer did not start: {log.read_text()[-2000:]}")


def test_predictions_equal_those_of_the_local_classifier(server: str, sh: Run, samples: Path) -> None:
    images = " ".join(str(path) for path in sorted(samples.glob("*/*"))[:6])
    tools = " ".join(f"dp-classify --model {server}/v2/models/{name} {images};" for name in INPUTS)
    ran = sh(f"{tools} dp-classify {images}")
    assert ran.returncode == 0, ran.stderr
    records = [json.loads(line) for line in ran.stdout.splitlines()]
    assert len(records) == 6 * (len(INPUTS) + 1)
    local = records[-6:]
    for position, record in enumerate(records[:-6]):
        expected = local[position % 6]
        assert record["classify"]["label_rank"] == expected["classify"]["label_rank"]
        for remote_top, local_top in zip(record["classify"]["top"], expected["classify"]["top"], strict=True):
            assert remote_top["index"] == local_top["index"]
            assert remote_top["p"] == pytest.approx(local_top["p"], abs=2e-4)


def test_only_attacks_without_gradients_work(server: str, sh: Run, dog: Path) -> None:
    attack = f"dp-attack --model {server}/v2/models/numbers --seed 1 {dog} -o out"
    ran = sh(f"{attack} -a agn; {attack} -a gs")
    (record,) = [json.loads(line) for line in ran.stdout.splitlines()]
    assert record["attack"]["name"] == "agn", ran.stderr
    assert record["attack"]["model"].endswith("/v2/models/numbers")
    assert "gs needs gradients" in ran.stderr
    assert ran.returncode == 2


def test_errors_of_the_server_are_reported(server: str, sh: Run, dog: Path) -> None:
    ran = sh(f"dp-classify --model {server}/v2/models/none {dog}")
    assert (ran.returncode, ran.stderr.count("\n")) == (3, 1)
    assert "answered 404: Model none not found" in ran.stderr
