"""The documentation site builds without warnings, its links lead somewhere, and it loads nothing from other hosts."""

import shutil
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

ROOT = Path(__file__).parents[2]
SOURCES = ("README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md", "CITATION.cff", "LICENSE", "pyproject.toml")

pytestmark = [
    pytest.mark.docs,
    pytest.mark.skipif(not shutil.which("mandoc"), reason="mandoc is not installed"),
]


class Page(HTMLParser):
    """The ids, the links and the resources of a page."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.ids: set[str] = set()
        self.links: list[str] = []
        self.resources: list[str] = []
        self.feed(path.read_text("utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = {name: value or "" for name, value in attrs}
        self.ids.add(attributes.get("id", ""))
        if tag == "a" and attributes.get("href"):
            self.links.append(attributes["href"])
        elif tag == "link" and attributes.get("rel") in ("stylesheet", "icon", "preload"):
            self.resources.append(attributes["href"])
        elif attributes.get("src"):
            self.resources.append(attributes["src"])


def build(source: Path, out: Path, *options: str) -> "subprocess.CompletedProcess[str]":
    """Build the site as `make docs` does."""
    command = [sys.executable, "-m", "sphinx", "--quiet", "--fail-on-warning", "--keep-going", *options]
    folders = ["--conf-dir", source / "docs/site", "--doctree-dir", out.with_name("doctrees"), source, out]
    return subprocess.run([*command, *map(str, folders)], capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the site."""
    out = tmp_path_factory.mktemp("site") / "html"
    done = build(ROOT, out)
    assert (done.returncode, done.stderr) == (0, "")
    return out


def test_links_and_resources_are_there(site: Path) -> None:
    pages = {path: Page(path) for path in site.rglob("*.html")}
    assert len(pages) > 20
    broken = []
    for path, page in pages.items():
        for link in [*page.links, *page.resources]:
            parts = urlsplit(link)
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            local = not parts.scheme and not parts.netloc
            if local and (
                not target.exists() or (parts.fragment and target in pages and not _has(pages[target], link))
            ):
                broken.append((path.name, link))
    assert not broken


def _has(page: Page, link: str) -> bool:
    return unquote(urlsplit(link).fragment) in page.ids


def test_nothing_is_loaded_from_another_host(site: Path) -> None:
    remote = {resource for path in site.rglob("*.html") for resource in Page(path).resources if "//" in resource}
    assert not remote
    for sheet in site.rglob("*.css"):
        assert "url(http" not in sheet.read_text("utf-8")
        assert "@import" not in sheet.read_text("utf-8")


def test_every_page_and_manual_is_part_of_the_site_and_of_the_search(site: Path) -> None:
    sources = [*ROOT.glob("docs/*.md"), *ROOT.glob("man/*"), ROOT / "README.md", ROOT / "SECURITY.md"]
    index = (site / "searchindex.js").read_text("utf-8")
    for source in sources:
        page = source.relative_to(ROOT).with_suffix("")
        assert (site / f"{page}.html").is_file()
        assert f'"{page}"' in index
    assert '"itxt"' in index  # a word of a manual page only
    assert (site / "index.html").read_bytes() == (site / "README.html").read_bytes()


def test_headings_of_manual_pages_are_in_the_contents(site: Path) -> None:
    page = Page(site / "man/dp-eval.html")
    assert {"#EXAMPLES", "#Records_of_other_programs"} <= set(page.links)
    assert {"EXAMPLES", "Records_of_other_programs"} <= page.ids


@pytest.mark.parametrize("link", ["docs/nowhere.md", "docs/evaluation.md#nowhere"])
def test_a_broken_link_fails(link: str, tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    shutil.copytree(ROOT / "docs", tree / "docs", ignore=shutil.ignore_patterns("*.xz", "*.safetensors"))
    shutil.copytree(ROOT / "man", tree / "man")
    for name in SOURCES:
        shutil.copy(ROOT / name, tree)
    (tree / "SECURITY.md").write_text(f"# Security\n\n[broken]({link})\n")
    done = build(tree, tmp_path / "out", "--builder", "dummy")
    assert done.returncode != 0
    assert "nowhere" in done.stderr
