"""The commands of the README and of the pages in docs/ run, and print what the pages show."""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from docs.examples import Example, agree, examples_of_markdown, run
from servers import OK, Request, Response, oip, scores, serving

from dptools.samples import write_samples

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()

# The pages with examples, in an order in which each finds the files of the earlier ones.
PAGES = (
    "README.md",
    *(f"docs/{name}.md" for name in ("pipelines", "attacks", "purifiers", "suspicion", "classifiers")),
    *(f"docs/{name}.md" for name in ("evaluation", "maps", "scale")),
)
TEXT = "\n".join((ROOT / page).read_text() for page in PAGES)

# Commands that install something, need other machines, or run the tests, with the test that covers each.
COVERED_ELSEWHERE = {
    "make test": "tests/docs/test_readme.py",
    "make install PREFIX=~/.local": "tests/test_package.py",
    "pip install '.[cluster]'": "tests/test_package.py",
    "ray start --head": "tests/engine/test_cluster.py",
    "dp-denoise --engine ray:auto -o clean imgs | dp-classify > records.jsonl": "tests/engine/test_cluster.py",
    "RAY_AUTH_MODE=token dp-denoise --engine ray:ray://HERE:10001 --ship -o clean imgs": "tests/engine/test_cluster.py",
    "dp-denoise --engine ray:auto --gpus 0.5 -o clean imgs": "tests/engine/test_cluster.py",
}

# Programs that the commands call.
PROGRAMS = ("node", "jq", "parallel", "tesseract")

# Commands that take hours run as `make -n`. tests/test_makefile.py runs the targets on a small scale.
SLOW = ("make paper", "make figure4", "make figure7", "make figure8", "make smoke", "make sample", "make gate")


def all_examples() -> Iterator[Example]:
    for example in examples_of_markdown(TEXT):
        if example.command not in COVERED_ELSEWHERE:
            slow = next((prefix for prefix in SLOW if example.command.startswith(prefix)), None)
            yield example.with_replacements({slow: slow.replace("make", "make -n")}) if slow else example


def respond(request: Request) -> Response:
    """Return the response of Clarifai or of a server of the Open Inference Protocol, depending on the path."""
    if "/v2/models/" in request.path and "/users/" not in request.path:
        return oip(lambda _: scores(*range(1000)), classes=1000)(request)
    if request.body is None:
        return Response({"status": OK, "model": {"model_version": {"id": "1"}}})
    concepts = [{"name": "dog", "value": 0.9}]
    return Response({"status": OK, "outputs": [{"status": OK, "data": {"concepts": concepts}}]})


@pytest.fixture
def sandbox(tmp_path: Path, samples: Path) -> Path:
    """Return an installed copy of the repository, with the folders that the README names as the reader's own."""
    (tmp_path / "requirements").mkdir()
    for name in ("Makefile", "pyproject.toml", "requirements/dev.txt"):
        shutil.copy(ROOT / name, tmp_path / name)
        os.utime(tmp_path / name, (0, 0))  # Older than the installation, so that make does not install again.
    (tmp_path / ".venv").symlink_to(ROOT / ".venv")
    (tmp_path / "results/sample").mkdir(parents=True)
    shutil.copytree(samples, tmp_path / "DIR")
    return tmp_path


@pytest.mark.docs
@pytest.mark.skipif(not all(map(shutil.which, PROGRAMS)), reason=f"needs {', '.join(PROGRAMS)}")
def test_commands_run_and_print_what_the_pages_show(sandbox: Path, environment: dict[str, str]) -> None:
    with serving(respond) as server:
        replacements = {
            "--model clarifai:": f"--endpoint {server.url} --model clarifai:",
            "oip+https://HOST": f"oip+{server.url}",
            "oip+http://localhost:8000": f"oip+{server.url}",
            "parallel -S one,two 'cd /shared": f"parallel 'cd {sandbox}",
        }
        local = [example.with_replacements(replacements) for example in all_examples()]
        results = run(local, sandbox, environment)
    assert len(local) > 20
    failures = [
        (result.example.command, result.status, result.stdout, result.stderr)
        for result in results
        if result.status != 0
        or (result.example.output is not None and not agree(result.stdout + result.stderr, result.example.output))
    ]
    assert not failures, "\n".join(map(str, failures))


def test_a_page_shows_the_columns_that_are_printed() -> None:
    """Numbers that differ may change the width of columns."""
    printed = "attack  n  top-1 after\nnone    2    50 [9-91]\n"
    assert agree(printed, printed.replace("after", "after  "))
    assert not agree(printed, printed.replace("    50", "  50"))
    assert agree("a  2.0 s  b\n", "a 12.0 s  b\n")


@pytest.mark.docs
def test_library_example_prints_what_it_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], environment: dict[str, str]
) -> None:
    (code,) = re.findall(r"^```python\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
    monkeypatch.chdir(tmp_path)
    write_samples(tmp_path / "imgs")
    attack = ["dp-attack", "-q", "--attack", "deepfool", "imgs", "-o", "adv"]
    assert not subprocess.run(attack, env=environment, stdout=subprocess.DEVNULL, check=False).returncode
    exec(code, {})
    assert capsys.readouterr().out.splitlines() == code.rpartition("# ")[2].strip().split(", ")


def test_commands_covered_elsewhere_are_in_the_pages() -> None:
    commands = {example.command for example in examples_of_markdown(TEXT)}
    assert set(COVERED_ELSEWHERE) <= commands
    assert all((ROOT / path).is_file() for path in COVERED_ELSEWHERE.values())


def test_relative_links_point_to_files() -> None:
    pages = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").glob("*.md")]
    found = [(page, link) for page in pages for link in re.findall(r"\]\((?!https?://|#)([^)#]+)", page.read_text())]
    assert len(found) > 20
    assert [(page.name, link) for page, link in found if not (page.parent / link).exists()] == []
