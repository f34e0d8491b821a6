"""What CONTRIBUTING.md says of adding something is done to a copy of the package, and works."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from docs.examples import of_markdown

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "CONTRIBUTING.md").read_text()
RECIPES = re.findall(r"^```python\n# (\S+?)(?:: (\w+))?\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package with all that is added."""
    directory = tmp_path_factory.mktemp("copy")
    shutil.copytree(ROOT / "dptools", directory / "dptools", ignore=shutil.ignore_patterns("__pycache__"))
    for name, table, code in RECIPES:
        path = directory / name
        text = path.read_text() if path.exists() else ""
        found = re.search(rf"^{table}\b.*[({{\[]\n", text, re.MULTILINE) if table else None
        at = found.end() if found else len(text)
        path.write_text(text[:at] + code + text[at:])
    return directory


def test_each_recipe_is_short_and_in_its_place() -> None:
    assert len(RECIPES) == 8
    assert all(sum(bool(line) for line in code.splitlines()) < 10 for _, _, code in RECIPES)
    for name, table, _ in RECIPES:
        assert (ROOT / name).exists() or not table


def test_make_knows_what_it_is_told_to_make() -> None:
    makefile = (ROOT / "Makefile").read_text()
    named = {word for example in of_markdown(TEXT) for word in re.findall(r"^make ([\w-]+)", example.command)}
    named |= set(re.findall(r"`make ([\w-]+)", TEXT))
    assert named
    assert all(re.search(rf"^\.PHONY:.*\b{name}\b", makefile, re.MULTILINE) for name in named)


@pytest.mark.parametrize(
    ("tool", "arguments", "says"),
    [
        ("attack", ["-a", "ddn", "--set", "steps=5", "--label", "243", "-o", "adv"], ("attack", "name", "ddn")),
        (
            "attack",
            ["-a", "agn", "--model", "tiny", "--label-from", "prediction", "-o", "b"],
            ("attack", "model", "tiny"),
        ),
        (
            "denoise",
            ["--preset", "cold", "--network", "thin", "--stop", "fidelity", "--iterations", "3", "-o", "clean"],
            ("denoise", "method", "dip"),
        ),
        ("classify", ["--model", "tiny"], ("classify", "model", "tiny")),
    ],
)
def test_what_was_added_is_there(
    copy: Path, dog: Path, tmp_path: Path, tool: str, arguments: list[str], says: tuple[str, str, str]
) -> None:
    program = f"import sys; sys.argv[0] = 'dp-{tool}'; from dptools.commands.{tool} import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", program, *arguments, "--engine", "inline", dog],
        cwd=tmp_path, env={"PYTHONPATH": str(copy), "PATH": "/usr/bin:/bin"}, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    record = json.loads(done.stdout)
    assert record[says[0]][says[1]] == says[2]
