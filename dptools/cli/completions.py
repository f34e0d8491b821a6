"""Write the completions of bash, zsh and fish from the options of the tools.

python -m dptools.cli.completions DIR

writes ``DIR/bash/dp-attack``, ``DIR/zsh/_dp-attack``, ``DIR/fish/dp-attack.fish`` and so on. The scripts contain all
options and names, so they complete without starting Python.
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
"""The tools, without the prefix ``dp-``."""

FOLDERS = {"eval": "evaluate"}
"""The folder in dptools.tools of each tool whose folder has another name than the tool."""

FILES, DIRECTORIES = ("FILE", "FILE|DIR", "GROUNDTRUTH"), ("DIR",)
"""The metavars of options whose values are files, and of those whose values are directories."""

NAMES_OR_FILES = "NAME|FILE"
"""The metavar of options whose values are known names or files. Bash completes files if no name matches."""


@dataclass(frozen=True)
class Option:
    """An option of a tool.

    Attributes:
        spellings: For example ``-o`` and ``--out``.
        help: Its description.
        value: The metavar of its value; empty for a flag.
        names: The possible values; empty if they are not known.
        repeatable: Whether it may be given several times.
    """

    spellings: tuple[str, ...]
    help: str
    value: str = ""
    names: tuple[str, ...] = ()
    repeatable: bool = False


def options(tool: str) -> Iterator[Option]:
    """Yield the options of a tool.

    Args:
        tool: The name of the tool without its prefix, such as ``attack``.
    """
    for parameter in get_command(import_module(f"dptools.tools.{FOLDERS.get(tool, tool)}.command").app).params:
        if parameter.param_type_name == "option" and not getattr(parameter, "hidden", False):
            flag = getattr(parameter, "is_flag", False)
            name = parameter.opts[-1]
            names = () if flag else tuple(NAMES.get(f"{tool} {name}", NAMES.get(name, tuple))())
            text = re.sub(r"\.?(\s*\[default: .*)?$", "", getattr(parameter, "help", None) or "")
            value = "" if flag else parameter.metavar or "NAME"
            yield Option(tuple(parameter.opts), text, value, names, parameter.multiple)
    yield Option(("-h", "--help"), "Show the help and exit")


def bash(program: str, known: list[Option]) -> str:
    """Return the script for bash: a function that completes the value of an option, an option, or a file name.

    Args:
        program: The name of the program.
        known: Its options.
    """
    spellings = " ".join(spelling for option in known for spelling in option.spellings)
    cases = "".join(_bash_case(option) for option in known if option.value)
    function = f"_{program.replace('-', '_')}"
    return f"""# bash completion of {program}
{function}() {{
    local word=${{COMP_WORDS[COMP_CWORD]}} before=${{COMP_WORDS[COMP_CWORD - 1]}}
    [[ $word == = ]] && word=
    [[ $before == = ]] && before=${{COMP_WORDS[COMP_CWORD - 2]}}
    COMPREPLY=()
    case $before in
{cases}        *) [[ $word == -* ]] && mapfile -t COMPREPLY < <(compgen -W '{spellings}' -- "$word") ;;
    esac
    [[ ${{#COMPREPLY[@]}} == 1 && $COMPREPLY == *: ]] && compopt -o nospace
    return 0
}}
complete -o bashdefault -o default -F {function} {program}
"""


def _bash_case(option: Option) -> str:
    return f"        {'|'.join(option.spellings)}) {_bash_action(option)} ;;\n"


def _bash_action(option: Option) -> str:
    if option.names:
        return f"""mapfile -t COMPREPLY < <(compgen -W '{" ".join(option.names)}' -- "$word")"""
    if option.value in DIRECTORIES:
        return "compopt -o dirnames +o default +o bashdefault"
    return ":" if option.value in FILES else "compopt +o default +o bashdefault"


def zsh(program: str, known: list[Option]) -> str:
    """Return the script for zsh: a list of specifications for ``_arguments``.

    Args:
        program: The name of the program.
        known: Its options.
    """
    lines = " \\\n    ".join(_zsh_line(option) for option in known)
    return f"#compdef {program}\n_arguments -s \\\n    {lines} \\\n    '*:file:_files'\n"


def _zsh_line(option: Option) -> str:
    text = re.sub(r"([\[\]:\\])", r"\\\1", option.help).replace("'", r"'\''")
    message = option.value.partition("[")[0].lower().replace("|", " or ")  # NAME[:VALUE] becomes name
    value = f":{message}:{_zsh_action(option)}" if option.value else ""
    spellings = [name + ("=" if name.startswith("--") else "+") * bool(option.value) for name in option.spellings]
    description = f"[{text}]{value}'"
    if len(spellings) == 1:
        return f"'{'*' * option.repeatable}{spellings[0]}{description}"
    exclusive = "'*'" if option.repeatable else f"'({' '.join(option.spellings)})'"
    return f"{exclusive}{{{','.join(spellings)}}}'{description}"


def _zsh_action(option: Option) -> str:
    names = " ".join(name.replace(":", r"\:") for name in option.names)
    if option.names:
        return f"{{compadd -- {names}; _files}}" if option.value == NAMES_OR_FILES else f"({names})"
    return "_files -/" if option.value in DIRECTORIES else "_files" if option.value in FILES else " "


def fish(program: str, known: list[Option]) -> str:
    """Return the script for fish: one line per option.

    Args:
        program: The name of the program.
        known: Its options.
    """
    return f"# fish completion of {program}\n" + "".join(
        f"complete -c {program}{_fish_line(option)}\n" for option in known
    )


def _fish_line(option: Option) -> str:
    spellings = "".join(f" -l {name[2:]}" if name.startswith("--") else f" -s {name[1:]}" for name in option.spellings)
    text = option.help.replace("\\", r"\\").replace("'", r"\'")
    return f"{spellings}{_fish_action(option)} -d '{text}'"


def _fish_action(option: Option) -> str:
    if option.names and option.value == NAMES_OR_FILES:
        return f" -r -F -a '{' '.join(option.names)}'"
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
"""For each shell: the name of the file that it looks for, and the function that returns its content."""


def main() -> None:
    """Write the completions of all tools below the directory that is the only argument."""
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
