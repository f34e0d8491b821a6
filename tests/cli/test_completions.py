"""Completions: the scripts in the repository are up to date, and each shell completes with them."""

import shutil
from importlib.metadata import version
from pathlib import Path

import pytest
from conftest import Run

from dptools.cli.completions import SHELLS, TOOLS, Option, options, zsh

ROOT = Path(__file__).parents[2]
SHIPPED = ROOT / "completions"


def test_scripts_in_the_repository_are_up_to_date(sh: Run, tmp_path: Path) -> None:
    if f"torchvision=={version('torchvision')} " not in (ROOT / "requirements/dev.txt").read_text():
        pytest.skip("the models depend on the version of torchvision")
    assert sh("python -m dptools.cli.completions now").returncode == 0
    written = {path.relative_to(tmp_path / "now"): path.read_text() for path in tmp_path.glob("now/*/*")}
    assert written == {path.relative_to(SHIPPED): path.read_text() for path in SHIPPED.glob("*/*")}
    assert len(written) == len(SHELLS) * len(TOOLS)


@pytest.mark.parametrize("tool", TOOLS)
def test_names_are_listed_for_each_option_that_takes_a_name(tool: str) -> None:
    for option in options(tool):
        takes_name = option.value.partition("[")[0] in {"NAME", "NAME|FILE", "METHOD", "CRITERION", "P", "KEY"}
        assert bool(option.names) == takes_name, option


def test_zsh_specification_has_no_colon_in_its_message() -> None:
    script = zsh("dp-x", [Option(("--method",), "The method", "NAME[:VALUE]", ("tv", "jpeg"))])
    assert "'--method=[The method]:name:(tv jpeg)'" in script


@pytest.mark.skipif(not shutil.which("bash"), reason="bash is not installed")
@pytest.mark.parametrize(
    ("words", "offered"),
    [
        ("dp-attack --attack dee", "deepfool"),
        ("dp-attack -a LinfPG", "LinfPGD"),
        ("dp-attack --model resnet1", "resnet101 resnet152 resnet18"),
        ("dp-classify --model=clar", "clarifai:"),
        ("dp-denoise --stop f", "fixed:"),
        ("dp-denoise --method med", "median"),
        ("dp-denoise --method=p", "perceptual photo paper"),
        ("dp-mapsext --rule s", "sauvola"),
        ("dp-eval --mark", "--markdown"),
        ("dp-denoise --iterations ", ""),
    ],
)
def test_bash_completes(words: str, offered: str, sh: Run) -> None:
    tool = words.split()[0]
    split = " ".join(f"'{word}'" for word in words.replace("=", " = ").split(" ") if word or words.endswith(" "))
    done = sh(
        f"compopt() {{ :; }}; . {SHIPPED}/bash/{tool}; COMP_WORDS=({split}); COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1));"
        f'_{tool.replace("-", "_")}; echo "${{COMPREPLY[*]}}"'
    )
    assert (done.stdout, done.stderr) == (f"{offered}\n", "")


@pytest.mark.skipif(not shutil.which("fish"), reason="fish is not installed")
@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("dp-attack --attack dee", {"deepfool"}),
        ("dp-denoise --through", set()),
        ("dp-denoise --network ", {"small", "paper", "decoder"}),
        ("dp-attack --model resnet15", {"resnet152"}),
        ("dp-attack --model rea", {"read.me"}),
        ("dp-eval --by ", {"attack", "method"}),
        ("dp-eval --report re", {"read.me"}),
        ("dp-eval re", {"read.me"}),
    ],
)
def test_fish_completes(line: str, offered: set[str], sh: Run, tmp_path: Path) -> None:
    (tmp_path / "read.me").touch()
    done = sh(f"HOME=$PWD fish -c 'source {SHIPPED}/fish/{line.split()[0]}.fish; complete -C \"{line}\"'")
    assert {line.split("\t")[0] for line in done.stdout.splitlines()} == offered


ZSH = r"""
zmodload zsh/zpty
zpty shell zsh -f -i
zpty -w shell "fpath=(SHIPPED/zsh \$fpath); autoload -Uz compinit; compinit -D -u"
zpty -w shell "TOOL() { print \"GOT <\$*>\" }; print re''ady"
zpty -r shell answer '*ready*'
zpty -w -n shell $'LINE\t\n'
zpty -r shell answer '*GOT*>*'
print -r -- "$answer"
"""
"""Type a line and a tab into zsh in a pseudo-terminal, where the tool is a function that prints its arguments."""


@pytest.mark.skipif(not shutil.which("zsh"), reason="zsh is not installed")
@pytest.mark.parametrize(
    ("line", "completed"),
    [
        ("dp-attack --attack dee", "--attack deepfool"),
        ("dp-attack --through pho", "--through photo"),
        ("dp-denoise --method=bil", "--method=bilateral"),
        ("dp-classify --model resnet15", "--model resnet152"),
        ("dp-classify --model rea", "--model read.me"),
        ("dp-mapsext --form", "--format"),
        ("dp-eval re", "read.me"),
        ("dp-denoise -o di", "-o directory"),
    ],
)
def test_zsh_completes(line: str, completed: str, sh: Run, tmp_path: Path) -> None:
    (tmp_path / "read.me").touch()
    (tmp_path / "directory").mkdir()
    program = ZSH.replace("SHIPPED", str(SHIPPED)).replace("TOOL", line.split()[0]).replace("LINE", line)
    (tmp_path / "try.zsh").write_text(program)
    done = sh("timeout 30 zsh -f try.zsh")
    assert f"GOT <{completed}>" in done.stdout
