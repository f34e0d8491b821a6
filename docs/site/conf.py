"""Settings of the documentation site, which Sphinx builds from the Markdown files and manual pages (make docs)."""

import shutil
import sys
import tomllib
from pathlib import Path

from sphinx.application import Sphinx

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(Path(__file__).parent))

NAVIGATION = """

```{toctree}
:hidden:
:caption: Guide

docs/installation
docs/pipelines
docs/attacks
docs/purifiers
Suspicion <docs/suspicion>
Classifiers <docs/classifiers>
docs/library
Evaluation <docs/evaluation>
docs/certification
docs/maps
Scale <docs/scale>
```

```{toctree}
:hidden:
:caption: Results

The paper, replicated <docs/paper>
docs/robustness
Weights of the denoiser <docs/weights>
Records <docs/records/README>
Photographs <docs/photographs/README>
```

```{toctree}
:hidden:
:caption: Reference

man/dptools
man/dp-attack
man/dp-denoise
man/dp-classify
man/dp-eval
man/dp-mapsext
man/dptools-record
```

```{toctree}
:hidden:
:caption: Project

CONTRIBUTING
SECURITY
CHANGELOG
```
"""
"""The tree of pages. It is added to the README here, because GitHub would show it as text."""

project = "Deep Protection"
author = "The dptools developers"
release = version = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["version"]
language = "en-GB"

extensions = ["myst_parser", "manual_pages"]
root_doc = "README"
include_patterns = ["*.md", "docs/*.md", "docs/records/README.md", "docs/photographs/README.md", "man/*"]
exclude_patterns = [".*", "build", "dist", "results", "dptools", "tests"]
myst_heading_anchors = 3
nitpicky = True

html_theme = "furo"
html_title = f"Deep Protection {release}"
html_static_path = ["site.css"]
html_css_files = ["site.css"]
html_use_index = False
html_copy_source = False
html_show_sourcelink = False
html_show_sphinx = False
html_show_copyright = False
pygments_style = "a11y-high-contrast-light"
pygments_dark_style = "a11y-high-contrast-dark"


def setup(app: Sphinx) -> None:
    """Connect the changes that this site makes."""
    app.connect("source-read", _add_navigation)
    app.connect("build-finished", _copy_first_page)


def _add_navigation(_: Sphinx, docname: str, source: list[str]) -> None:
    if docname == root_doc:
        source[0] += NAVIGATION


def _copy_first_page(app: Sphinx, exception: Exception | None) -> None:
    """Copy the README's page to ``index.html``, which servers show for a directory."""
    if exception is None:
        shutil.copy(app.outdir / f"{root_doc}.html", app.outdir / "index.html")
