"""Each example of a manual page does what it says, typed as it stands into a shell."""

import os
import shutil
from pathlib import Path

import pytest
from conftest import BIN
from docs.examples import of_man, run
from servers import protocol, scores, serving

PAGES = sorted((Path(__file__).parents[2] / "man").iterdir())

FEW = """#!/bin/sh
%s "$@" || exit
case "$*" in *dptools.samples*) find imgs -name '*_0[45689]_*' -delete -o -name '*_1[0-689]_*' -delete ;; esac
"""
"""Of the samples six are kept, for the time that all would take."""


@pytest.fixture
def sandbox(tmp_path: Path, samples: Path) -> Path:
    """What an example finds that no example makes: maps, and the images that the page's other tools would have made."""
    from dptools.samples import write_map

    python = tmp_path / "bin" / "python"
    python.parent.mkdir()
    python.write_text(FEW % (BIN / "python"))
    python.chmod(0o755)
    map_, truth = write_map(tmp_path)
    (tmp_path / "maps").mkdir()
    shutil.copy(map_, tmp_path / "maps" / "sheet1.png")
    shutil.copy(truth, tmp_path / "maps" / "sheet1.geojson")
    truth.unlink()
    return tmp_path


@pytest.mark.docs
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_examples_of_a_page_run(page: Path, sandbox: Path, environment: dict[str, str]) -> None:
    examples = list(of_man(page.read_text()))
    assert len(examples) >= 3
    path = f"{sandbox / 'bin'}{os.pathsep}{environment['PATH']}"
    with serving(protocol(lambda _: scores(*range(1000)), classes=1000)) as server:
        here = [example.with_command({"http://localhost:8000": server.url}) for example in examples]
        done = run(here, sandbox, {**environment, "PATH": path})
    failed = [(each.example.command, each.status, each.err) for each in done if each.status != 0 or each.err]
    assert not failed, "\n".join(map(str, failed))
