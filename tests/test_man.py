"""The manual pages: each lists the options of its tool, is installed by the package, and is valid mdoc."""

import re
import shutil
import subprocess
import tomllib
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

import pytest
from typer.main import get_command

from dptools.evaluation.table import as_csv
from dptools.maps.formats import CSV_COLUMNS
from dptools.tools.classify.table import COLUMNS

ROOT = Path(__file__).parent.parent
PAGES = sorted(ROOT.glob("man/*"))

# The folder of dptools/tools in which the command of each tool lies.
FOLDERS = {"attack": "attack", "classify": "classify", "denoise": "denoise", "eval": "evaluate", "mapsext": "mapsext"}


@pytest.mark.parametrize("tool", FOLDERS)
def test_page_lists_exactly_the_options_of_its_tool(tool: str) -> None:
    command = get_command(import_module(f"dptools.tools.{FOLDERS[tool]}.command").app)
    shown = [param for param in command.params if not getattr(param, "hidden", False)]
    options = {name for param in shown for name in (*param.opts, *param.secondary_opts) if name[0] == "-"}
    items = re.findall(r"^\.It (Fl .*)", (ROOT / f"man/dp-{tool}.1").read_text(), re.MULTILINE)
    documented = [f"-{name}" for item in items for name in re.findall(r"\bFl (\S+)", item)]
    assert sorted(documented) == sorted(options | {"-h", "--help"})


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_no_macro_is_printed_as_text(page: Path) -> None:
    """A macro works only at the beginning of a line."""
    assert not re.findall(r"^(?!\.\\\").* \.[A-Z][a-z] .*", page.read_text(), re.MULTILINE)


@pytest.mark.parametrize(
    ("tool", "columns"), [("eval", as_csv([]).split(",")), ("classify", COLUMNS), ("mapsext", CSV_COLUMNS)]
)
def test_page_lists_the_columns_of_csv_in_their_order(tool: str, columns: Sequence[str]) -> None:
    (section,) = re.findall(
        r"^\.Ss CSV\n(.*?)^\.S[sh]", (ROOT / f"man/dp-{tool}.1").read_text(), re.MULTILINE | re.DOTALL
    )
    items = re.findall(r"^\.It Va (.*)", section, re.MULTILINE)
    assert [name for item in items for name in item.split(" , ")] == list(columns)


def test_package_installs_each_page_in_its_section() -> None:
    build = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]
    expected = {f"man/{page.name}": f"share/man/man{page.suffix[1:]}/{page.name}" for page in PAGES}
    shared_data = build["targets"]["wheel"]["shared-data"]
    assert {source: target for source, target in shared_data.items() if source.startswith("man/")} == expected


@pytest.mark.skipif(not shutil.which("mandoc"), reason="mandoc is not installed")
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_mandoc_reports_no_warnings(page: Path) -> None:
    lint = subprocess.run(["mandoc", "-Tlint", "-Wwarning", str(page)], capture_output=True, text=True, check=False)
    assert (lint.returncode, lint.stdout) == (0, "")
