"""The files of a release agree: versions, citation, lock files."""

import re
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
LOCKS = ("requirements/dev.txt", "requirements/tools.txt")


def locked(path: str) -> dict[str, list[Requirement]]:
    """Return the requirements of a lock file by name, after checking that each has a hash."""
    entries = re.split(r"\n(?=\S)", re.sub(r"(?m)^#.*\n", "", (ROOT / path).read_text("utf-8")).strip())
    assert all(" --hash=sha256:" in entry for entry in entries)
    requirements = [Requirement(entry.partition(" \\")[0]) for entry in entries]
    return {
        name: [each for each in requirements if canonicalize_name(each.name) == name]
        for name in {canonicalize_name(each.name) for each in requirements}
    }


def declared(*extras: str) -> list[Requirement]:
    """Return the dependencies that pyproject.toml declares, with those of extras and of the build."""
    optional = PROJECT["project"]["optional-dependencies"]
    texts = [*PROJECT["project"]["dependencies"], *PROJECT["dependency-groups"]["build"]]
    requirements = [Requirement(text) for text in [*texts, *(text for extra in extras for text in optional[extra])]]
    own = [each for each in requirements if each.name == PROJECT["project"]["name"]]
    others = [each for each in requirements if each not in own]
    return others + [Requirement(text) for each in own for extra in each.extras for text in optional[extra]]


def test_versions_agree() -> None:
    version = PROJECT["project"]["version"]
    assert yaml.safe_load((ROOT / "CITATION.cff").read_text("utf-8"))["version"] == version
    newest = re.search(r"^## (\S+) - (\S+)", (ROOT / "CHANGELOG.md").read_text("utf-8"), re.MULTILINE)
    assert newest
    assert newest[1] == version.partition(".dev")[0]
    assert (newest[2] == "unreleased") == (".dev" in version)
    released = yaml.safe_load((ROOT / "CITATION.cff").read_text("utf-8")).get("date-released", "unreleased")
    assert newest[2] == str(released)


def test_the_citation_has_what_its_format_requires_and_agrees_with_the_readme() -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text("utf-8"))
    assert {"cff-version", "message", "title", "authors"} <= set(citation)
    assert citation["license"] == PROJECT["project"]["license"] == "MIT"
    assert citation["authors"] == PROJECT["project"]["authors"]
    paper = citation["preferred-citation"]
    authors = " and ".join(f"{author['family-names']}, {author['given-names']}" for author in paper["authors"])
    readme = (ROOT / "README.md").read_text("utf-8")
    assert f"author = {{{authors}}}" in readme
    assert f"title  = {{{paper['title']}}}" in readme
    assert f"year   = {{{paper['year']}}}" in readme


@pytest.mark.parametrize(("path", "extras"), [(LOCKS[0], ("dev",)), (LOCKS[1], ("models",))])
def test_lock_files_have_a_fitting_version_of_each_dependency(path: str, extras: tuple[str, ...]) -> None:
    """After a change of pyproject.toml, run `make lock`."""
    lock = locked(path)
    for requirement in declared(*extras):
        (version,) = {str(each.specifier) for each in lock[canonicalize_name(requirement.name)][:1]}
        assert requirement.specifier.contains(version.removeprefix("=="), prereleases=True), requirement


def test_lock_files_agree_and_name_no_host() -> None:
    development, tools = map(locked, LOCKS)
    for name, requirements in tools.items():
        assert {str(each.specifier) for each in requirements} <= {str(each.specifier) for each in development[name]}
    for path in LOCKS:
        assert not re.search(r"https?://|--(extra-)?index-url|--find-links", (ROOT / path).read_text("utf-8"))
