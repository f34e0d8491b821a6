"""The plan of the house, as `dptools/__init__.py` draws it: who may import whom, and how large a room gets."""

import ast
from pathlib import Path

import pytest

import dptools

ROOT = Path(dptools.__file__).parent
MODULES = {
    ".".join(path.relative_to(ROOT.parent).with_suffix("").parts).removesuffix(".__init__"): path
    for path in ROOT.rglob("*.py")
}
BASE = {"errors", "lazy", "devices", "texts"}
DOMAINS = {"classifiers", "attacks", "prior", "filters", "evaluation", "maps"}
MAY_IMPORT = {
    **dict.fromkeys(DOMAINS, BASE),
    "pipe": BASE,
    "engine": BASE | {"pipe"},
    "stages": BASE | {"pipe"} | DOMAINS,
    "commands": BASE | {"pipe", "engine", "stages"} | DOMAINS,
    "samples": BASE | {"classifiers", "maps"},
}


def imports(path: Path, module: str) -> set[str]:
    """The modules that a file names in import statements, wherever they stand."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        if isinstance(node, ast.ImportFrom) and node.module:
            children = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= (children & set(MODULES)) or {node.module}
    return found - {module}


IMPORTS = {module: imports(path, module) for module, path in MODULES.items()}


def room(module: str) -> str:
    return module.split(".")[1] if "." in module else ""


@pytest.mark.parametrize("module", sorted(MODULES))
def test_rooms_know_only_those_below(module: str) -> None:
    rooms = {room(other) for other in IMPORTS[module] if other.startswith("dptools.")} - {room(module)}
    assert rooms <= MAY_IMPORT.get(room(module), BASE)
    if room(module) not in ("commands", ""):
        assert not {other for other in IMPORTS[module] if other.partition(".")[0] == "typer"}


def test_there_is_no_circle_of_imports() -> None:
    # A package's __init__ is its face: its own modules do not look into it, so it stands in no circle.
    left = {module: {other for other in IMPORTS[module] if other in MODULES} for module in MODULES}
    while free := {module for module, others in left.items() if not others & set(left)}:
        left = {module: others for module, others in left.items() if module not in free}
    assert not left


@pytest.mark.parametrize("module", sorted(MODULES))
def test_no_room_gets_too_large(module: str) -> None:
    lines = MODULES[module].read_text().splitlines()
    assert len(lines) <= 250
    for node in ast.walk(ast.parse("\n".join(lines))):
        if isinstance(node, ast.FunctionDef):
            assert (node.end_lineno or 0) - node.lineno < 60, node.name
