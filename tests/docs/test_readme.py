"""Each command of the README, typed as it stands into a shell, does what the README says that it does."""

import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from docs.examples import Example, of_markdown, run, words
from servers import OK, Asked, Says, protocol, scores, serving

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()

ELSEWHERE = {
    "make test": "tests/docs/test_readme.py",
    "make install PREFIX=~/.local": "tests/test_package.py",
    "pip install .": "tests/test_package.py",
    "pip install 'deep-protection[cluster]'": "tests/test_package.py",
    "ray start --head": "tests/engine/test_cluster.py",
    "dp-denoise --engine ray:auto -o clean imgs | dp-classify > records.jsonl": "tests/engine/test_cluster.py",
    "RAY_AUTH_MODE=token dp-denoise --engine ray:ray://HERE:10001 --ship -o clean imgs": "tests/engine/test_cluster.py",
    "dp-denoise --engine ray:auto --gpus 0.5 -o clean imgs": "tests/engine/test_cluster.py",
}
"""What takes another machine, installs, or is the tests themselves; and the tests that do it."""

LONG = ("make paper", "make figure4", "make figure7", "make figure8", "make smoke", "make sample", "make gate")
"""These would take hours: make says what it would do. The whole of it in small is a test of the make targets."""


def examples() -> Iterator[Example]:
    for example in of_markdown(README):
        if example.command not in ELSEWHERE:
            long = next((name for name in LONG if example.command.startswith(name)), None)
            yield example.with_command({long: long.replace("make", "make -n")}) if long else example


def service(asked: Asked) -> Says:
    """Clarifai, and a server of the Open Inference Protocol."""
    if "/v2/models/" in asked.path and "/users/" not in asked.path:
        return protocol(lambda _: scores(*range(1000)), classes=1000)(asked)
    if asked.body is None:
        return Says({"status": OK, "model": {"model_version": {"id": "1"}}})
    concepts = [{"name": "dog", "value": 0.9}]
    return Says({"status": OK, "outputs": [{"status": OK, "data": {"concepts": concepts}}]})


@pytest.fixture
def sandbox(tmp_path: Path, samples: Path) -> Path:
    """A clone that is installed, and folders of the names that the README gives to the reader's own."""
    for name in ("Makefile", "pyproject.toml", "constraints.txt"):
        shutil.copy(ROOT / name, tmp_path)
        os.utime(tmp_path / name, (0, 0))  # what make has to install is there
    (tmp_path / ".venv").symlink_to(ROOT / ".venv")
    (tmp_path / "results/sample").mkdir(parents=True)
    shutil.copytree(samples, tmp_path / "DIR")
    return tmp_path


@pytest.mark.docs
@pytest.mark.skipif(not all(map(shutil.which, ("node", "jq", "parallel"))), reason="needs node, jq and GNU parallel")
def test_every_command_of_the_readme_runs_and_prints_what_it_says(sandbox: Path, environment: dict[str, str]) -> None:
    with serving(service) as server:
        here = {
            "--model clarifai:": f"--endpoint {server.url} --model clarifai:",
            "oip+https://HOST": f"oip+{server.url}",
            "oip+http://localhost:8000": f"oip+{server.url}",
            "parallel -S one,two 'cd /shared": f"parallel 'cd {sandbox}",
        }
        done = run([example.with_command(here) for example in examples()], sandbox, environment)
    wrong = [
        (each.example.command, each.status, each.out, each.err)
        for each in done
        if each.status != 0
        or (each.example.printed is not None and words(each.out + each.err) != words(each.example.printed))
    ]
    assert not wrong, "\n".join(map(str, wrong))


def test_commands_that_are_tried_elsewhere_are_in_the_readme() -> None:
    commands = [example.command for example in of_markdown(README)]
    assert set(ELSEWHERE) <= set(commands)
    assert all((ROOT / place).is_file() for place in ELSEWHERE.values())


def test_links_lead_to_files() -> None:
    for name in ("README.md", "CONTRIBUTING.md"):
        for link in re.findall(r"\]\((?!https?://|#)([^)]+)\)", (ROOT / name).read_text()):
            assert (ROOT / link).exists(), link
