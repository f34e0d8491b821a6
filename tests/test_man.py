"""The manual pages: complete, packaged and well formed."""

import re
import shutil
import subprocess
import tomllib
from importlib import import_module
from pathlib import Path

import pytest
from typer.main import get_command

ROOT = Path(__file__).parent.parent
PAGES = sorted(ROOT.glob("man/*"))


@pytest.mark.parametrize("tool", ["attack", "classify", "denoise", "eval", "mapsext"])
def test_a_page_has_just_the_options_of_its_tool(tool: str) -> None:
    command = get_command(import_module(f"dptools.commands.{tool}").app)
    options = {name for param in command.params for name in (*param.opts, *param.secondary_opts) if name[0] == "-"}
    items = re.findall(r"^\.It (Fl .*)", (ROOT / f"man/dp-{tool}.1").read_text(), re.MULTILINE)
    described = [f"-{name}" for item in items for name in re.findall(r"\bFl (\S+)", item)]
    assert sorted(described) == sorted(options | {"-h", "--help"})


def test_the_package_installs_each_page_in_its_section() -> None:
    build = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]
    wanted = {f"man/{page.name}": f"share/man/man{page.suffix[1:]}/{page.name}" for page in PAGES}
    shared = build["targets"]["wheel"]["shared-data"]
    assert {source: place for source, place in shared.items() if source.startswith("man/")} == wanted


@pytest.mark.skipif(not shutil.which("mandoc"), reason="mandoc is not installed")
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_mandoc_has_nothing_to_warn_of(page: Path) -> None:
    lint = subprocess.run(["mandoc", "-Tlint", "-Wwarning", str(page)], capture_output=True, text=True, check=False)
    assert (lint.returncode, lint.stdout) == (0, "")
