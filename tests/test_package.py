"""The package as others get it: a wheel out of a source distribution, and what make install puts where."""

import json
import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest
from conftest import BIN

ROOT = Path(__file__).parent.parent
TOOLS = ("dp-attack", "dp-classify", "dp-denoise", "dp-eval", "dp-mapsext")
SHARED = [
    *(f"man/man1/{tool}.1" for tool in TOOLS),
    "man/man5/dptools-record.5",
    "man/man7/dptools.7",
    *(f"bash-completion/completions/{tool}" for tool in TOOLS),
    *(f"fish/vendor_completions.d/{tool}.fish" for tool in TOOLS),
    *(f"zsh/site-functions/_{tool}" for tool in TOOLS),
]

MADE = shutil.ignore_patterns(".git", ".venv", "results", "dist", ".*_cache", "__pycache__")
"""What is no part of the sources."""


def ran(*command: object, **options: object) -> "subprocess.CompletedProcess[str]":
    done = subprocess.run([*map(str, command)], capture_output=True, text=True, check=False, **options)  # type: ignore[call-overload]
    assert done.returncode == 0, done.stderr
    return done  # type: ignore[no-any-return]


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with the source distribution, and the wheel that is built of it."""
    out = tmp_path_factory.mktemp("dist")
    tree = out / "tree"
    shutil.copytree(ROOT, tree, ignore=MADE)
    ran(sys.executable, "-m", "build", "--outdir", out, tree)
    return out


@pytest.mark.slow
def test_the_source_distribution_has_all_that_the_repository_has(built: Path) -> None:
    with tarfile.open(next(built.glob("*.tar.gz"))) as archive:
        inside = {name.partition("/")[2] for name in archive.getnames()}
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False).stdout.split()
    if not tracked:
        pytest.skip("not a git checkout")
    assert {name for name in tracked if not name.startswith(".ci/")} <= inside


@pytest.mark.slow
def test_the_wheel_brings_the_tools_with_their_pages_completions_and_schema(built: Path) -> None:
    with zipfile.ZipFile(next(built.glob("*.whl"))) as wheel:
        inside = set(wheel.namelist())
        (data,) = {name.partition("/")[0] for name in inside if ".data/" in name}
        metadata = wheel.read(next(name for name in inside if name.endswith("METADATA"))).decode()
    assert {name.removeprefix(f"{data}/data/share/") for name in inside if name.startswith(data)} == set(SHARED)
    assert {"dptools/py.typed", "dptools/pipe/record.schema.json", "dptools/purifiers/denoiser/warm.pt"} <= inside
    assert not [name for name in inside if name.startswith("tests")]
    for line in ("License-Expression: MIT", "Provides-Extra: cluster", "Provides-Extra: models", "Keywords: "):
        assert line in metadata


@pytest.mark.slow
def test_the_wheel_works_where_nothing_else_of_ours_is(built: Path, tmp_path: Path, dog: Path) -> None:
    """An empty environment that finds the dependencies of this one, since they are six gigabytes."""
    ran(sys.executable, "-m", "venv", "--without-pip", tmp_path / "env")
    (site,) = (tmp_path / "env").glob("lib/python*/site-packages")
    wheel = next(built.glob("*.whl"))
    ran(sys.executable, "-m", "pip", "--python", tmp_path / "env/bin/python", "install", "--no-deps", "--quiet", wheel)
    (site / "dependencies.pth").write_text(f"{next((BIN.parent / 'lib').glob('python*'))}/site-packages\n")
    environment = {"PATH": f"{tmp_path}/env/bin:/usr/bin:/bin", "HOME": str(tmp_path)}
    where = ran("python", "-c", "import dptools; print(dptools.__file__)", cwd=tmp_path, env=environment)
    assert where.stdout.startswith(str(site))
    (record,) = ran("dp-classify", dog, cwd=tmp_path, env=environment).stdout.splitlines()
    assert json.loads(record)["classify"]["label_rank"] == 1
    for tool in TOOLS:
        assert ran(tool, "--version", env=environment).stdout.startswith(f"{tool} (dptools)")
    assert all((tmp_path / "env/share" / name).is_file() for name in SHARED)


@pytest.mark.slow
def test_make_install_and_uninstall(tmp_path: Path) -> None:
    """Staged below DESTDIR, as packagers do, and without the dependencies."""
    given = [f"DESTDIR={tmp_path}/stage", "PREFIX=/opt/dp", "PIP_INSTALL=--no-deps", f"PYTHON={sys.executable}"]
    clone = tmp_path / "clone"
    shutil.copytree(ROOT, clone, ignore=MADE)
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("MAKE", "MFLAGS"))}
    ran("make", "install", *given, cwd=clone, env=environment)
    prefix = tmp_path / "stage/opt/dp"
    assert (prefix / "bin/dp-attack").read_text().startswith("#!/opt/dp/lib/dptools/bin/python")
    for name in [*(f"bin/{tool}" for tool in TOOLS), *(f"share/{name}" for name in SHARED)]:
        assert (prefix / name).is_symlink()
        assert not os.readlink(prefix / name).startswith("/")
        assert (prefix / name).is_file()
    ran("make", "uninstall", *given, cwd=clone, env=environment)
    assert not [path for path in prefix.rglob("*") if not path.is_dir()]


def test_an_installed_package_says_that_it_is_typed() -> None:
    import dptools

    assert (Path(dptools.__file__).parent / "py.typed").is_file()
