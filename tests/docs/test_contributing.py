"""The recipes of CONTRIBUTING.md work: applied to a copy of the package, they add what they describe."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from docs.examples import examples_of_markdown

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "CONTRIBUTING.md").read_text()

# The target file of each recipe, the table in it to which the recipe adds an entry (or ""), and the code.
RECIPES = re.findall(r"^```python\n# (\S+?)(?:: (\w+))?\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)


def apply_recipe(text: str, table: str, code: str) -> str:
    """Return a module with a recipe applied.

    Args:
        text: The module; empty for a new one.
        table: The name of the collection that gets an entry; empty to append the code to the module.
        code: The code to append, or import statements followed by an entry.
    """
    if not table:
        return text + code
    imports = "".join(line for line in code.splitlines(keepends=True) if line.startswith("from "))
    start = re.search(rf"^{table}\b[^=]*= [({{\[]", text, re.MULTILINE)
    assert start
    text = f"{text[: start.end()]}\n{code.removeprefix(imports)}{text[start.end() :]}"
    end_of_docstring = text.index('"""', 3) + 3
    return f"{text[:end_of_docstring]}\n{imports}{text[end_of_docstring:]}"


@pytest.fixture(scope="module")
def extended_package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a directory with a copy of the package to which all recipes have been applied."""
    directory = tmp_path_factory.mktemp("copy")
    shutil.copytree(ROOT / "dptools", directory / "dptools", ignore=shutil.ignore_patterns("__pycache__"))
    for name, table, code in RECIPES:
        path = directory / name
        path.write_text(apply_recipe(path.read_text() if path.exists() else "", table, code))
    return directory


def test_recipes_are_short_and_name_existing_tables() -> None:
    assert len(RECIPES) == 8
    assert all(sum(bool(line) for line in code.splitlines()) < 10 for _, _, code in RECIPES)
    for name, table, _ in RECIPES:
        assert (ROOT / name).exists() or not table


def test_makefile_has_the_targets_that_are_named() -> None:
    makefile = (ROOT / "Makefile").read_text()
    targets = {
        word for example in examples_of_markdown(TEXT) for word in re.findall(r"^make ([\w-]+)", example.command)
    }
    targets |= set(re.findall(r"`make ([\w-]+)", TEXT))
    assert targets
    missing = {target for target in targets if not re.search(rf"^\.PHONY:.*\b{target}\b", makefile, re.MULTILINE)}
    assert not missing


@pytest.mark.parametrize(
    ("tool", "arguments", "expected"),
    [
        ("attack", ["-a", "ddn", "--set", "steps=5", "--label", "243", "-o", "adv"], ("attack", "name", "ddn")),
        (
            "attack",
            ["-a", "agn", "--model", "tiny", "--label-from", "prediction", "-o", "b"],
            ("attack", "model", "tiny"),
        ),
        (
            "denoise",
            ["--method", "dip", "--network", "thin", "--stop", "fidelity", "--iterations", "3", "-o", "clean"],
            ("denoise", "method", "dip"),
        ),
        ("classify", ["--model", "tiny"], ("classify", "model", "tiny")),
    ],
)
def test_additions_work(
    extended_package: Path, dog: Path, tmp_path: Path, tool: str, arguments: list[str], expected: tuple[str, str, str]
) -> None:
    program = f"import sys; sys.argv[0] = 'dp-{tool}'; from dptools.tools.{tool}.command import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", program, *arguments, "--engine", "inline", dog],
        cwd=tmp_path, env={"PYTHONPATH": str(extended_package), "PATH": "/usr/bin:/bin"},
        capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    record = json.loads(done.stdout)
    key, name, value = expected
    assert record[key][name] == value
