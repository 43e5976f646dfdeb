"""Sphinx's configuration: README.md and the pages under docs/ as a site that stands alone; `make docs` builds it.

The pages are plain Markdown, which GitHub shows as it is. What Sphinx wants besides is added here, while it reads: the
tables of contents of the sidebar, which are the lists of the indexes.
"""

import posixpath
import re
from pathlib import Path

from pygments.lexers.special import TextLexer
from sphinx.application import Sphinx
from sphinx.builders.html import StandaloneHTMLBuilder

project = "Pedigree"
extensions = ["myst_parser"]
root_doc = "README"
include_patterns = ["*.md", "docs/**.md"]
# Whole folders, which are not even walked.
exclude_patterns = [".*", "configs", "flows", "infra", "tasks", "tests", "docs/_build"]

# Anchors as GitHub gives them, for headings of every depth.
myst_heading_anchors = 6
suppress_warnings = ["myst.header"]

html_theme = "furo"
html_title = "Pedigree"
html_static_path = ["_static"]
templates_path = ["_templates"]  # Furo's page of a search has no heading.
html_css_files = ["site.css"]
html_js_files = [("site.js", {"defer": "defer"})]
html_copy_source = False
html_show_copyright = False
html_show_sphinx = False

INDEX = "docs/README.md"
DECISIONS = "docs/explanation/decisions/README.md"
PROJECT = ("CONTRIBUTING", "SECURITY", "CHANGELOG")
_ENTRY = re.compile(r"^- \[([^]]+)\]\((?!\.\./)([^)#]+)\.md\)", re.MULTILINE)


def toctree(caption: str, entries: list[str]) -> str:
    """Write a table of contents that only the sidebar shows."""
    return "\n".join(["", "```{toctree}", ":hidden:", f":caption: {caption}", "", *entries, "```", ""])


def add_contents(app: Sphinx, page: str, source: list[str]) -> None:
    """Give the front page the sections of the documentation's index, and the index of decisions its pages."""
    if page == root_doc:
        index = (Path(app.srcdir) / INDEX).read_text(encoding="utf-8")
        folder = posixpath.dirname(INDEX)
        app.env.note_dependency(INDEX)
        for section in re.split(r"^##+ ", index, flags=re.MULTILINE)[1:]:
            if entries := [f"{title} <{folder}/{path}>" for title, path in _ENTRY.findall(section)]:
                source[0] += toctree(section.partition("\n")[0], entries)
        source[0] += toctree("Project", [f"All pages <{INDEX}>", *PROJECT])
    elif f"{page}.md" == DECISIONS:
        source[0] += toctree("Decisions", re.findall(r"^\[[^]]+\]\((\w+)\.md\)", source[0], re.MULTILINE))


class Site(StandaloneHTMLBuilder):
    """HTML whose indexes are called index.html, as web servers and browsers expect, and README.md on GitHub."""

    name = "html"

    def get_target_uri(self, docname: str, typ: str | None = None) -> str:
        """Return the address of a page within the site."""
        return super().get_target_uri(re.sub(r"\bREADME$", "index", docname), typ)

    def get_output_path(self, page_name: str, /) -> Path:
        """Return the file of a page."""
        return super().get_output_path(re.sub(r"\bREADME$", "index", page_name))


def setup(app: Sphinx) -> None:
    """Register what is ours."""
    app.add_builder(Site, override=True)
    app.add_lexer("csv", TextLexer)  # GitHub colours it, Pygments does not know it
    app.connect("source-read", add_contents)
