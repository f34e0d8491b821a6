"""What bash, zsh and fish complete, written from the tools' own options and names.

python -m dptools.cli.completions DIR

writes ``DIR/bash/dp-attack``, ``DIR/zsh/_dp-attack``, ``DIR/fish/dp-attack.fish`` and so on: scripts that answer at
once, for they hold all that is to be known.
"""

import re
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

from typer.main import get_command

from dptools.cli.completable import NAMES

TOOLS = ("attack", "classify", "denoise", "eval", "mapsext")

FOLDERS = {"eval": "evaluate"}
"""The folder of a tool, where it is not called like the tool."""

FILES, DIRECTORIES = ("FILE", "FILE|DIR", "GROUNDTRUTH"), ("DIR",)
"""What options whose values are paths call them."""


@dataclass(frozen=True)
class Option:
    """One option as a shell sees it.

    Attributes:
        spellings: ``-o`` and ``--out``.
        value: what it takes; empty for a flag.
        names: what its value may be, where that is known.
        again: it may be given several times.
    """

    spellings: tuple[str, ...]
    help: str
    value: str = ""
    names: tuple[str, ...] = ()
    again: bool = False


def options(tool: str) -> Iterator[Option]:
    """The options of a tool, ``attack`` for example."""
    for found in get_command(import_module(f"dptools.tools.{FOLDERS.get(tool, tool)}.command").app).params:
        if found.param_type_name == "option":
            flag = getattr(found, "is_flag", False)
            names = () if flag else tuple(NAMES.get(found.opts[-1], tuple)())
            said = re.sub(r"\.?(\s*\[default: .*)?$", "", getattr(found, "help", None) or "")
            yield Option(tuple(found.opts), said, "" if flag else found.metavar or "NAME", names, found.multiple)
    yield Option(("-h", "--help"), "Show the help and exit")


def bash(program: str, known: list[Option]) -> str:
    """A function that looks at the word before: what the option there takes, or options and files."""
    spelled = " ".join(spelling for option in known for spelling in option.spellings)
    cases = "".join(_bash_case(option) for option in known if option.value)
    function = f"_{program.replace('-', '_')}"
    return f"""# bash completion of {program}
{function}() {{
    local word=${{COMP_WORDS[COMP_CWORD]}} before=${{COMP_WORDS[COMP_CWORD - 1]}}
    [[ $word == = ]] && word=
    [[ $before == = ]] && before=${{COMP_WORDS[COMP_CWORD - 2]}}
    COMPREPLY=()
    case $before in
{cases}        *) [[ $word == -* ]] && mapfile -t COMPREPLY < <(compgen -W '{spelled}' -- "$word") ;;
    esac
    [[ ${{#COMPREPLY[@]}} == 1 && $COMPREPLY == *: ]] && compopt -o nospace
    return 0
}}
complete -o bashdefault -o default -F {function} {program}
"""


def _bash_case(option: Option) -> str:
    return f"        {'|'.join(option.spellings)}) {_bash_answer(option)} ;;\n"


def _bash_answer(option: Option) -> str:
    if option.names:
        return f"""mapfile -t COMPREPLY < <(compgen -W '{" ".join(option.names)}' -- "$word")"""
    if option.value in DIRECTORIES:
        return "compopt -o dirnames +o default +o bashdefault"
    return ":" if option.value in FILES else "compopt +o default +o bashdefault"


def zsh(program: str, known: list[Option]) -> str:
    """A list of specifications for ``_arguments``."""
    lines = " \\\n    ".join(_zsh_line(option) for option in known)
    return f"#compdef {program}\n_arguments -s \\\n    {lines} \\\n    '*:file:_files'\n"


def _zsh_line(option: Option) -> str:
    said = re.sub(r"([\[\]:\\])", r"\\\1", option.help).replace("'", r"'\''")
    takes = f":{option.value.lower().replace('|', ' or ')}:{_zsh_answer(option)}" if option.value else ""
    spelled = [name + ("=" if name.startswith("--") else "+") * bool(option.value) for name in option.spellings]
    rest = f"[{said}]{takes}'"
    if len(spelled) == 1:
        return f"'{'*' * option.again}{spelled[0]}{rest}"
    alone = "'*'" if option.again else f"'({' '.join(option.spellings)})'"
    return f"{alone}{{{','.join(spelled)}}}'{rest}"


def _zsh_answer(option: Option) -> str:
    if option.names:
        return f"({' '.join(name.replace(':', chr(92) + ':') for name in option.names)})"
    return "_files -/" if option.value in DIRECTORIES else "_files" if option.value in FILES else " "


def fish(program: str, known: list[Option]) -> str:
    """A line an option."""
    return f"# fish completion of {program}\n" + "".join(
        f"complete -c {program}{_fish_line(option)}\n" for option in known
    )


def _fish_line(option: Option) -> str:
    spelled = "".join(f" -l {name[2:]}" if name.startswith("--") else f" -s {name[1:]}" for name in option.spellings)
    said = option.help.replace("\\", r"\\").replace("'", r"\'")
    return f"{spelled}{_fish_answer(option)} -d '{said}'"


def _fish_answer(option: Option) -> str:
    if option.names:
        return f" -x -a '{' '.join(option.names)}'"
    if option.value in DIRECTORIES:
        return " -x -a '(__fish_complete_directories)'"
    return " -r -F" if option.value in FILES else " -x" if option.value else ""


SHELLS: dict[str, tuple[str, Callable[[str, list[Option]], str]]] = {
    "bash": ("{}", bash),
    "zsh": ("_{}", zsh),
    "fish": ("{}.fish", fish),
}
"""For each shell the name of the file that it looks for, and what writes it."""


def main() -> None:
    """Write them all below the directory that is the one argument."""
    if len(sys.argv) != 2 or sys.argv[1].startswith("-"):
        sys.exit("usage: python -m dptools.cli.completions DIR")
    for tool in TOOLS:
        known = list(options(tool))
        for shell, (name, script) in SHELLS.items():
            path = Path(sys.argv[1]) / shell / name.format(f"dp-{tool}")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(script(f"dp-{tool}", known), encoding="utf-8")


if __name__ == "__main__":
    main()
