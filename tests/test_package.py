"""The distributions that are built from the repository, and the files that make install installs."""

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

# Files that are not part of the sources.
OUTPUTS = shutil.ignore_patterns(".git", ".venv", "results", "dist", ".*_cache", "__pycache__")


def run(*command: object, **options: object) -> "subprocess.CompletedProcess[str]":
    """Run a command that must succeed."""
    done = subprocess.run([*map(str, command)], capture_output=True, text=True, check=False, **options)  # type: ignore[call-overload]
    assert done.returncode == 0, done.stderr
    return done  # type: ignore[no-any-return]


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a directory with the source distribution and the wheel that is built from it."""
    out = tmp_path_factory.mktemp("dist")
    tree = out / "tree"
    shutil.copytree(ROOT, tree, ignore=OUTPUTS)
    run(sys.executable, "-m", "build", "--outdir", out, tree)
    return out


@pytest.mark.slow
def test_the_source_distribution_contains_all_tracked_files(built: Path) -> None:
    with tarfile.open(next(built.glob("*.tar.gz"))) as archive:
        inside = {name.partition("/")[2] for name in archive.getnames()}
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False).stdout.split()
    if not tracked:
        pytest.skip("not a git checkout")
    assert {name for name in tracked if not name.startswith(".ci/")} <= inside


@pytest.mark.slow
def test_the_wheel_contains_the_package_data_manual_pages_and_completions(built: Path) -> None:
    with zipfile.ZipFile(next(built.glob("*.whl"))) as wheel:
        inside = set(wheel.namelist())
        (data,) = {name.partition("/")[0] for name in inside if ".data/" in name}
        metadata = wheel.read(next(name for name in inside if name.endswith("METADATA"))).decode()
    assert {name.removeprefix(f"{data}/data/share/") for name in inside if name.startswith(data)} == set(SHARED)
    data_files = [path for path in (ROOT / "dptools").rglob("*") if path.is_file() and path.suffix != ".pyc"]
    assert {str(path.relative_to(ROOT)) for path in data_files} <= inside
    assert {
        "dptools/py.typed",
        "dptools/purifiers/denoiser/denoiser.safetensors",
        "dptools/purifiers/denoiser/perceptual.onnx",
        "dptools/purifiers/denoiser/smoothing.onnx",
    } <= inside
    assert not [name for name in inside if name.startswith("tests")]
    for line in ("License-Expression: MIT", "Provides-Extra: cluster", "Provides-Extra: models", "Keywords: "):
        assert line in metadata


@pytest.mark.slow
def test_the_wheel_works_in_a_new_environment(built: Path, tmp_path: Path, dog: Path) -> None:
    """A new environment uses the dependencies of this one, which take six gigabytes."""
    run(sys.executable, "-m", "venv", "--without-pip", tmp_path / "env")
    (site,) = (tmp_path / "env").glob("lib/python*/site-packages")
    wheel = next(built.glob("*.whl"))
    run(sys.executable, "-m", "pip", "--python", tmp_path / "env/bin/python", "install", "--no-deps", "--quiet", wheel)
    (site / "dependencies.pth").write_text(f"{next((BIN.parent / 'lib').glob('python*'))}/site-packages\n")
    environment = {"PATH": f"{tmp_path}/env/bin:/usr/bin:/bin", "HOME": str(tmp_path)}
    location = run("python", "-c", "import dptools; print(dptools.__file__)", cwd=tmp_path, env=environment)
    assert location.stdout.startswith(str(site))
    (record,) = run("dp-classify", dog, cwd=tmp_path, env=environment).stdout.splitlines()
    assert json.loads(record)["classify"]["label_rank"] == 1
    for tool in TOOLS:
        assert run(tool, "--version", env=environment).stdout.startswith(f"{tool} (dptools)")
    assert all((tmp_path / "env/share" / name).is_file() for name in SHARED)


@pytest.mark.slow
def test_make_install_and_uninstall(tmp_path: Path) -> None:
    """Install below DESTDIR, as for a package, and without the dependencies."""
    variables = [f"DESTDIR={tmp_path}/stage", "PREFIX=/opt/dp", "REQUIREMENTS=", f"PYTHON={sys.executable}"]
    clone = tmp_path / "clone"
    shutil.copytree(ROOT, clone, ignore=OUTPUTS)
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("MAKE", "MFLAGS"))}
    run("make", "install", *variables, cwd=clone, env=environment)
    prefix = tmp_path / "stage/opt/dp"
    assert (prefix / "bin/dp-attack").read_text().startswith("#!/opt/dp/lib/dptools/bin/python")
    for name in [*(f"bin/{tool}" for tool in TOOLS), *(f"share/{name}" for name in SHARED)]:
        assert (prefix / name).is_symlink()
        assert not os.readlink(prefix / name).startswith("/")
        assert (prefix / name).is_file()
    run("make", "uninstall", *variables, cwd=clone, env=environment)
    assert not [path for path in prefix.rglob("*") if not path.is_dir()]


def test_the_installed_package_is_marked_as_typed() -> None:
    import dptools

    assert (Path(dptools.__file__).parent / "py.typed").is_file()
