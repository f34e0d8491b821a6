"""Cases in files: ``cases/NAME/cmd`` run by a shell must print ``cases/NAME/expected``, including standard error.

``UPDATE_CASES=1 pytest tests/test_cases.py`` replaces the expected output by the present one; review it with
``git diff``.
"""

import os
import re
from importlib.metadata import version
from pathlib import Path

import pytest
from conftest import Run

CASES = sorted(Path(__file__).with_name("cases").iterdir())


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_case(case: Path, sh: Run, samples: Path, environment: dict[str, str]) -> None:
    done = sh(f"exec 2>&1; . {case / 'cmd'}; echo status $?", env={**environment, "SAMPLES": str(samples)})
    printed = re.sub(r'"seconds": [\d.]+', '"seconds": 0', done.stdout).replace(
        f'"version": "{version("deep-protection")}"', '"version": "V"'
    )
    if os.environ.get("UPDATE_CASES"):
        (case / "expected").write_text(printed)
    assert printed == (case / "expected").read_text()
