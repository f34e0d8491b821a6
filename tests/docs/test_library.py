"""The examples of docs/library.md run as one script, and print what the page shows."""

import contextlib
import io
import re
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from conftest import BIN
from docs.examples import agree

import dptools.attacks
import dptools.certify
import dptools.classifiers
import dptools.detection
import dptools.evaluation
import dptools.maps
import dptools.purifiers
from dptools.samples import write_samples

PAGE = (Path(__file__).parents[2] / "docs" / "library.md").read_text()

# The code of each example, the package that it needs besides dptools (or ""), and the output that the page shows.
EXAMPLES = re.findall(r"^```python ?(\w*)\n(.*?)^```\n(?:\n```text\n(.*?)^```$)?", PAGE, re.MULTILINE | re.DOTALL)


@pytest.mark.docs
def test_examples_run_and_print_what_the_page_shows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_samples(tmp_path / "imgs")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", str(BIN), prepend=":")
    names: dict[str, Any] = {}
    for package, code, output in EXAMPLES:
        if package and not find_spec(package):
            continue
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(compile(code, "docs/library.md", "exec"), names)
        assert agree(printed.getvalue(), output), code


def test_every_example_is_run() -> None:
    assert len(EXAMPLES) == PAGE.count("```python") > 9


def test_the_page_names_public_things_only() -> None:
    """Each name after dptools.MODULE exists, and is in the module's ``__all__``."""
    for module, name in re.findall(r"dptools\.(purifiers|classifiers|attacks|detection|certify)\.(\w+)", PAGE):
        library = getattr(dptools, module)
        assert name in library.__all__ or find_spec(f"dptools.{module}.{name}"), f"{module}.{name}"


@pytest.mark.parametrize("module", ["attacks", "certify", "classifiers", "detection", "purifiers", "purifiers.dip"])
def test_every_public_name_has_help(module: str) -> None:
    library = __import__(f"dptools.{module}", fromlist=["*"])
    for name in library.__all__:
        value = getattr(library, name)
        if callable(value) and not isinstance(value, type) and "Callable" not in repr(value):
            assert value.__doc__, name
        elif isinstance(value, type):
            assert value.__doc__, name
            assert not value.__doc__.startswith(f"{name}("), f"{name} has only the docstring of a dataclass"
