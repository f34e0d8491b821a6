"""Show manual pages on the site: mandoc converts them to HTML, and their headings become sections."""

import re
import subprocess

from docutils import nodes
from docutils.parsers import Parser
from sphinx.application import Sphinx

HEADING = r'<section class="S[hs]">\s*<h\d class="S[hs]" id="(?P<id>[^"]+)">(?P<title>.*?)</h\d>'
TOKEN = re.compile(rf"{HEADING}|(?P<end></section>)", re.DOTALL)

LINK_TO_ANOTHER_MANUAL = re.compile(r'<a class="Xr" href="(?!dp)[^"]*">([^<]*)</a>')
"""A reference to a page that is not part of the site, such as find(1)."""


class ManualPage(Parser):
    """A parser of manual pages."""

    supported = ("man",)

    def parse(self, inputstring: str, document: nodes.document) -> None:
        """Fill a document with the sections of a manual page."""
        html = _to_html(inputstring)
        (title,) = re.findall(r'<td class="head-ltitle">([^<]*)</td>', html)
        page = _section(title.lower(), title.lower())
        _fill(page, html.partition('<div class="manual-text">')[2].rpartition("</div>\n<table")[0])
        document += page


def setup(app: Sphinx) -> None:
    """Register the parser for the sections of the manual that dptools uses."""
    app.add_source_parser(ManualPage)
    for suffix in (".1", ".5", ".7"):
        app.add_source_suffix(suffix, "man")


def _to_html(page: str) -> str:
    """Return a manual page as HTML.

    Raises:
        FileNotFoundError: mandoc is not installed.
    """
    command = ["mandoc", "-T", "html", "-O", "fragment,man=%N.html"]
    html = subprocess.run(command, input=page, capture_output=True, text=True, check=True).stdout
    return LINK_TO_ANOTHER_MANUAL.sub(r"\1", html)


def _fill(page: nodes.section, html: str) -> None:
    """Add HTML to a section. Each heading in it starts a section, inside of the one that is open."""
    path, start = [page], 0
    for token in TOKEN.finditer(html):
        _add_html(path[-1], html[start : token.start()])
        start = token.end()
        if token["end"]:
            path.pop()
        else:
            section = _section(token["id"], re.sub("<[^>]*>", "", token["title"]))
            path[-1] += section
            path.append(section)


def _section(identifier: str, title: str) -> nodes.section:
    return nodes.section("", nodes.title("", title), ids=[identifier], names=[title])


def _add_html(section: nodes.section, html: str) -> None:
    if html.strip():
        section += nodes.raw("", f'<div class="manual">{html}</div>', format="html")
