"""The structure of the source code: which folder imports which, and how large files and functions are."""

import ast
import subprocess
from pathlib import Path

import pytest
from conftest import BIN

import dptools

ROOT = Path(dptools.__file__).parents[1]
FILES = sorted(path.relative_to(ROOT) for path in (ROOT / "dptools").rglob("*.py"))
MAX_FILE_LINES = 250
MAX_BODY_LINES = 45


def test_imports_follow_the_contracts_in_pyproject() -> None:
    command = [BIN / "lint-imports", "--no-cache", "--no-logo"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("path", FILES, ids=str)
def test_files_and_functions_are_short(path: Path) -> None:
    """The signature of a command is its list of options, so it does not count."""
    source = (ROOT / path).read_text()
    assert source.count("\n") <= MAX_FILE_LINES
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef):
            assert (node.end_lineno or 0) - node.body[0].lineno < MAX_BODY_LINES, node.name


@pytest.mark.parametrize("path", FILES, ids=str)
def test_onnxruntime_is_imported_without_telemetry(path: Path) -> None:
    """RapidOCR imports it, too."""
    nodes = list(ast.walk(ast.parse((ROOT / path).read_text())))
    names = [alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names]
    names += [node.module or "" for node in nodes if isinstance(node, ast.ImportFrom)]
    if path.name != "onnx_runtime.py" and {name.partition(".")[0] for name in names} & {"onnxruntime", "rapidocr"}:
        assert "dptools.onnx_runtime" in names
